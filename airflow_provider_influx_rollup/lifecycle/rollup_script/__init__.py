"""The verb of a user's Flux script that rolls up."""
