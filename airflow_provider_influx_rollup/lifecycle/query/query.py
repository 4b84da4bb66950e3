"""Ask a question of a window in the user's own Flux, and return an answer that is small."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.archive.annotated_rows import Row
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.endless import refuse_endless
from airflow_provider_influx_rollup.flux.extern import extern_file, window_values
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import ParseScript, Query, Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import EPOCH, Interval, format_instant

FIRST_ROWS = 100
MAX_ROWS = 10_000
# an answer travels through Airflow's database
MAX_CHARACTERS = 100_000


@dataclass(frozen=True, slots=True)
class QuerySpec:
    """A question.

    :param flux: the script; ``v`` and ``now()`` are the window's
    :param params: values of ``params.<name>``
    :param first_rows: how many rows to return at most
    :param every: what ``v.windowPeriod`` is, a Flux duration; None: the window's length
    """

    flux: str
    params: Mapping[str, Any] | None = None
    first_rows: int = FIRST_ROWS
    every: str | None = None

    def __post_init__(self) -> None:
        # templates and functions may have given anything
        flux: object = self.flux
        first_rows: object = self.first_rows
        if not isinstance(flux, str) or not flux.strip():
            what = f"flux={flux!r} is not a script"
            raise ConfigurationError(what, fix="give Flux text, or the path of a .flux file")
        is_number = isinstance(first_rows, int) and not isinstance(first_rows, bool)
        if not is_number or not 0 <= self.first_rows <= MAX_ROWS:
            what = f"first_rows={self.first_rows!r} is not possible"
            raise ConfigurationError(what, fix=f"give a whole number from 0 to {MAX_ROWS}")


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """Answer to a question.

    :param rows: how many there were
    :param first_rows: the first of them, as JSON has values
    :param is_true: see ``is_true``
    """

    window: Interval
    rows: int
    first_rows: Sequence[Mapping[str, Any]]
    is_true: bool

    def as_json(self) -> dict[str, Any]:
        """The return value of the stage."""
        return {
            "window": self.window.as_json(),
            "rows": self.rows,
            "first_rows": [dict(row) for row in self.first_rows],
            "is_true": self.is_true,
        }


def run_query(spec: QuerySpec, window: Interval) -> Steps[QueryAnswer]:
    """Query one window.

    The whole answer comes into the worker; only the first rows leave it. Let Flux do the work: aggregate, then ask.

    :param window: what ``v.timeRangeStart`` and ``v.timeRangeStop`` are; ``now()`` is its stop
    :raises ScriptInvalid: when the window ends by 1970 and the server would never end the query
    """
    period = Duration.of(spec.every) if spec.every else window.duration
    extern = extern_file(v=window_values(window, period), params=spec.params or {})
    if window.stop <= EPOCH:
        refuse_endless((yield from ask(ParseScript(spec.flux))), spec.params, window)
    rows: list[Row] = yield from ask(Query(spec.flux, extern=extern, now=window.stop))
    answer = is_true(rows)
    yield from ask(Report(f"{window}: {len(rows)} rows, which is {'true' if answer else 'false'}"))
    first = small_rows([row.with_yield() for row in rows[: spec.first_rows]], spec.first_rows)
    return QueryAnswer(window, len(rows), first, answer)


def is_true(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether any row says yes: its ``_value`` is true, a number but 0 and NaN, or a text that is not empty.

    A row without the column ``_value`` says yes by being there; a null says no.
    """
    return any(_says_yes(row["_value"]) if "_value" in row else True for row in rows)


def _says_yes(value: object) -> bool:
    return bool(value) and not (isinstance(value, float) and math.isnan(value))


def small_rows(rows: Sequence[Mapping[str, Any]], most: int) -> list[dict[str, Any]]:
    """The first rows as JSON knows values, as many as are small together.

    :param most: how many at most
    """
    small: list[dict[str, Any]] = []
    characters = 0
    for row in rows[:most]:
        values = {name: json_value(value) for name, value in row.items()}
        characters += len(json.dumps(values))
        if characters > MAX_CHARACTERS:
            break
        small.append(values)
    return small


def json_value(value: object) -> object:
    """A value as JSON has it; times, durations, NaN and the infinities as text."""
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def steps_from_job(
    job: Mapping[str, Any],
    clock: Callable[[], datetime],  # noqa: ARG001 - as all verbs; a question knows no present time
) -> Steps[QueryAnswer]:
    """The verb as a job of the triggerer.

    :param job: ``spec`` as JSON and ``intervals``, exactly one
    :param clock: not used
    """
    (bounds,) = job["intervals"]
    return run_query(QuerySpec(**job["spec"]), Interval.from_json(bounds))
