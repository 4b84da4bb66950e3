"""A query that asks the server for its time."""

from __future__ import annotations


def server_clock_query() -> str:
    """One row whose ``_value`` is the server's time; ``now()`` would be the time of the request."""
    return 'import "array"\nimport "system"\n\narray.from(rows: [{_value: system.time()}])'
