"""The verb plan: what a run would do, and what it would cost."""
