"""The verb compact: merge the files of small windows into those of large ones."""
