"""Pure records of windows: receipts, states, checksums, line protocol."""
