"""The verb purge: delete the points of windows that are proven to be archived."""
