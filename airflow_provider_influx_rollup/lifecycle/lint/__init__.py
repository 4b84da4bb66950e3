"""The verb that lints scripts on a server."""
