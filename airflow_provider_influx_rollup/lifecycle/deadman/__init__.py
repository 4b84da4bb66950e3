"""The verb deadman: which series have stopped."""
