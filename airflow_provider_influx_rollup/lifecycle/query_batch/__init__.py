"""The verb query_batch: ask many questions, a few at a time."""
