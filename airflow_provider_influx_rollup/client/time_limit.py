"""The longest time that one query may run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.client.requests import RequestKind
from airflow_provider_influx_rollup.exceptions import QueryTooSlow

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.requests import Request


class TimeLimit:
    """The time that is left to a request, from now.

    :param request: only queries have a limit
    :param seconds: None: any time
    """

    def __init__(self, request: Request, seconds: float | None) -> None:
        self._seconds = seconds if request.kind is RequestKind.QUERY else None
        self._about = request.about
        self._started = time.monotonic()

    @property
    def left(self) -> float | None:
        """Seconds left, above 0; None: any time."""
        if self._seconds is None:
            return None
        return max(self._seconds - (time.monotonic() - self._started), 0.001)

    def require_left(self) -> None:
        """Stop a query that has run too long; closing its connection cancels it in the server.

        :raises QueryTooSlow: when no time is left
        """
        if self._seconds is not None and time.monotonic() - self._started >= self._seconds:
            what = f"{self._about} was cancelled: it ran longer than max_query_seconds={self._seconds:g}"
            fix = "ask for less in one query, or raise max_query_seconds in the connection or in [influx_rollup]"
            raise QueryTooSlow(what, fix=fix)
