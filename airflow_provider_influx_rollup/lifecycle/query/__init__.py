"""The verb query: run a user's Flux over an interval."""
