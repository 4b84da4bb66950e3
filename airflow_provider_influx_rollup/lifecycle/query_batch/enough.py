"""When a batch asks nothing more: an error that every other question would meet too, or the first one at all."""

from __future__ import annotations

from airflow_provider_influx_rollup.exceptions import (
    InfluxOverloaded,
    InfluxRollupError,
    InfluxUnauthorized,
    InfluxUnavailable,
    OrgNotFound,
    QueryLimitReached,
)

#: so many in a row that the server did not answer: one may be a query that it is silent over
IN_A_ROW = 3


class Enough:
    """Told what became of each question.

    :param fails_fast: whether the first error is enough
    :param at_once: how many are asked at a time: those that met one fault together count as one
    """

    def __init__(self, *, fails_fast: bool, at_once: int) -> None:
        self._fails_fast = fails_fast
        self._most = max(IN_A_ROW, at_once)
        self._in_a_row = 0
        self.reason: str | None = None

    def __call__(self, outcome: object) -> bool:
        """Whether nothing more is to be asked.

        :param outcome: the answer, or the error
        """
        if not isinstance(outcome, InfluxRollupError):
            self._in_a_row = 0
        elif self._fails_fast:
            self.reason = self.reason or "on_query_error is fail_fast"
        elif isinstance(outcome, InfluxUnauthorized | OrgNotFound):
            self.reason = f"all others would meet {type(outcome).__name__} too"
        elif is_of_server(outcome):
            self._in_a_row += 1
            if self._in_a_row >= self._most:
                self.reason = f"the last {self._in_a_row} ended with {type(outcome).__name__}"
        else:
            self._in_a_row = 0
        return self.reason is not None


def is_of_server(error: InfluxRollupError) -> bool:
    """Whether the server did not answer, whatever was asked."""
    if isinstance(error, QueryLimitReached):
        return False
    return isinstance(error, InfluxUnavailable | InfluxOverloaded)
