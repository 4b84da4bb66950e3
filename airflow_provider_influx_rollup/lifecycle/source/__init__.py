"""Raw points, read truthfully."""
