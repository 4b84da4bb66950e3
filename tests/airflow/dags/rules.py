"""What the backfilled rollups compute, for their tests too."""

from __future__ import annotations

AGGREGATES = {
    "temperature": [
        "count",
        "sum",
        "min",
        "max",
        "mean",
        "first",
        "last",
        "median",
        "p99",
        "stddev",
        "spread",
    ],
    "humidity": ["count", "mean", "integral"],
    "count": ["count", "sum", "min", "max", "first", "last", "distinct"],
    "status": ["count", "last", "distinct"],
    "ok": ["count", "first"],
}
KINDS = ("forwards", "backwards", "scheduled")
