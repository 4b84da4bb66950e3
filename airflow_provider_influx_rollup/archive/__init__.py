"""Pure decoding: annotated CSV to Arrow."""
