"""The verb erase: remove every point of some series, wherever it is kept."""
