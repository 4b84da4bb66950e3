"""What happens to a window: one verb, one file, as a generator of steps."""
