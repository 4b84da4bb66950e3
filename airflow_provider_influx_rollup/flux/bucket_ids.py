"""The buckets of the organisation, as far as the token may read them: rides along with a query of the ledger."""

from __future__ import annotations

BUCKETS = "buckets"


def buckets_query() -> str:
    """Name and id of each bucket, one row each; at least one may be read."""
    return 'buckets()\n  |> keep(columns: ["name", "id"])'
