"""The verb buckets: make buckets what is declared of them."""
