"""The verb archive: write the points of windows to files, and prove them."""
