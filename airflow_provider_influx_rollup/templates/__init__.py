"""Flux with Jinja: values become literals, and no value can change the script around it."""
