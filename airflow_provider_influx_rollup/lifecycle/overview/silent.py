"""Series of a pipeline's source that have stopped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_influx_rollup.aggregates.hierarchy import find_merge
from airflow_provider_influx_rollup.flux.inventory import LastSeen, SeriesSource
from airflow_provider_influx_rollup.flux.series import Series
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.shown_text import shown_text
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval, format_instant

MAX_SERIES = 200
#: so long before now a series is looked for
LOOKBACK = timedelta(days=30)
#: whole windows without a point after which a series is silent
WINDOWS = 2


def silent_series(spec: RollupSpec, now: datetime) -> Steps[dict[str, Any]]:
    """The series that had points in the last 30 days and none in the last two windows that are due, the longest silent first.

    :param now: the time now, aware UTC
    """
    since = silent_since(spec, now)
    span = Interval(min(now - LOOKBACK, since - LOOKBACK), now + MICROSECOND)
    source = SeriesSource(spec.source_bucket, spec.measurement, _fields_read(spec), spec.tags)
    seen = yield from ask(LastSeen(source, span))
    silent = sorted((last, series) for series, last in seen.items() if last < since)
    return {
        "pipeline": spec.pipeline_name,
        "since": format_instant(since),
        "series_total": len(seen),
        "silent_total": len(silent),
        "series": [
            {"tags": _tags(series), "last_seen": format_instant(last)} for last, series in silent[:MAX_SERIES]
        ],
    }


def silent_since(spec: RollupSpec, now: datetime) -> datetime:
    """The start of the windows without a point after which a series counts as silent."""
    grid = spec.grid.grid()
    start = grid.floor(now - Duration.of(spec.lateness, allow_zero=True).timedelta)
    for _ in range(WINDOWS):
        start = grid.floor(start - MICROSECOND)
    return start


def _fields_read(spec: RollupSpec) -> tuple[str, ...] | None:
    """Globs of the fields that a rollup reads, of which the last match decides; None takes all fields."""
    # of a pipeline's rules the first match decides
    rules = [(glob, bool(names)) for glob, names in reversed(spec.rules().rules)]
    if spec.source_tier is not None:
        # rows of the tier below are called by their aggregates
        parts = sorted({part for name in spec.rules().all_names() for part in find_merge(name).needs[0]})
        rules = [(f"{glob}_{part}", is_taken) for glob, is_taken in rules for part in parts]
    while rules and not rules[0][1]:
        del rules[0]
    if ("*", True) in rules and all(is_taken for _, is_taken in rules):
        return None
    return tuple(glob if is_taken else f"!{glob}" for glob, is_taken in rules)


def _tags(series: Series) -> Mapping[str, str]:
    return {shown_text(key): shown_text(value) for key, value in series}
