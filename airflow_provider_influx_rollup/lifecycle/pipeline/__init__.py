"""Pipelines, and the values that each of them may write."""
