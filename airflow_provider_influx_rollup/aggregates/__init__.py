"""Pure aggregation: which aggregates there are, and how to compute and merge them."""
