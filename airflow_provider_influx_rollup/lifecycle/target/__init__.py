"""Rows that a rollup owns."""
