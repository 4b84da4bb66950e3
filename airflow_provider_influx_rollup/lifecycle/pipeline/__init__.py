"""Which pipelines there are, and which values each of them may write."""
