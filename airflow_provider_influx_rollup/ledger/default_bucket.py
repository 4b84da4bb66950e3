"""The bucket that keeps the ledger when no other is named."""

from __future__ import annotations

DEFAULT_LEDGER_BUCKET = "rollup_ledger"
