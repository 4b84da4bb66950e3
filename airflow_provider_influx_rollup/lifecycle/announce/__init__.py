"""Which windows of a run other DAGs are to hear of."""
