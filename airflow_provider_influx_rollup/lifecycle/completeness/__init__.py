"""Whether the points of a window are all there."""
