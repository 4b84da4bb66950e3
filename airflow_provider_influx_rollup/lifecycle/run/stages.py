"""The stages that receipts speak of."""

from __future__ import annotations

ROLLUP = "rollup"
