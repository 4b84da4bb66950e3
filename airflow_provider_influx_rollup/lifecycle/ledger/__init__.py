"""Receipts and marks, read and written by steps."""
