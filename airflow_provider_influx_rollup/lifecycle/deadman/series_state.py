"""Judge each series by its last point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from airflow_provider_influx_rollup.flux.series import Series
from airflow_provider_influx_rollup.lifecycle.source.inventory import satisfied_by
from airflow_provider_influx_rollup.windows.interval import format_instant


class SeriesState(StrEnum):
    """State of a series."""

    ALIVE = "alive"
    """It has a point within the silence before the stop."""
    CAME_BACK = "came_back"
    """Alive, and its status before was dead."""
    STOPPED = "stopped"
    """Seen within the lookback, but silent now."""
    NEVER_STARTED = "never_started"
    """Expected, but not seen within the lookback."""
    RETIRED = "retired"
    """Silent for so long that it is no longer expected; said once."""


DEAD = frozenset({SeriesState.STOPPED, SeriesState.NEVER_STARTED})


@dataclass(frozen=True, slots=True)
class ObservedSeries:
    """The answers to the reads.

    :param recent: last point within the silence, per series
    :param earlier: last point before it, per series
    :param levels: level of the last status before the stop, per series
    :param of_others: series that others may judge now, who retire them
    """

    recent: Mapping[Series, datetime]
    earlier: Mapping[Series, datetime]
    levels: Mapping[Series, str]
    of_others: frozenset[Series] = frozenset()


@dataclass(frozen=True, slots=True)
class SeriesVerdict:
    """Verdict on one series."""

    series: Series
    state: SeriesState
    last_seen: datetime | None

    def as_json(self) -> dict[str, Any]:
        """``{"series", "state", "last_seen"}``."""
        seen = None if self.last_seen is None else format_instant(self.last_seen)
        return {"series": dict(self.series), "state": self.state.value, "last_seen": seen}


def last_of_expected(
    expected: tuple[Series, ...] | None, seen: Mapping[Series, datetime]
) -> dict[Series, datetime]:
    """The last points of the expected series, each also by those that have more tags, and of series that nobody expects.

    :param expected: None: those that were seen
    :param seen: the last point of each series
    """
    satisfied = satisfied_by(expected or (), seen)
    found = {wanted: max(seen[one] for one in by) for wanted, by in satisfied.items() if by}
    counted = {series for by in satisfied.values() for series in by}
    return found | {series: at for series, at in seen.items() if series not in counted}


def judge(
    seen: ObservedSeries,
    *,
    expected: tuple[Series, ...] | None,
    dead_level: str,
    retired_before: datetime | None,
    retires_from: datetime | None,
) -> list[SeriesVerdict]:
    """Decide the state of each series, in the order of the series.

    :param expected: the series to judge; None judges all that were seen
    :param dead_level: the level that statuses of dead series have
    :param retired_before: series last seen before this are retired
    :param retires_from: series last seen before this were retired by an earlier interval
    """
    candidates = sorted(set(seen.recent) | set(seen.earlier)) if expected is None else sorted(expected)
    verdicts: list[SeriesVerdict] = []
    for series in candidates:
        verdict = _judge_one(series, seen, dead_level)
        if expected is None and retired_before and verdict.last_seen and verdict.last_seen < retired_before:
            if retires_from and verdict.last_seen < retires_from:
                continue
            verdict = replace(verdict, state=SeriesState.RETIRED)
        verdicts.append(verdict)
    judged = {verdict.series for verdict in verdicts}
    gone = [s for s, level in seen.levels.items() if level == dead_level and s not in judged | seen.of_others]
    verdicts.extend(
        SeriesVerdict(series, SeriesState.RETIRED, seen.earlier.get(series)) for series in sorted(gone)
    )
    return verdicts


def _judge_one(series: Series, seen: ObservedSeries, dead_level: str) -> SeriesVerdict:
    if series in seen.recent:
        was_dead = seen.levels.get(series) == dead_level
        state = SeriesState.CAME_BACK if was_dead else SeriesState.ALIVE
        return SeriesVerdict(series, state, seen.recent[series])
    if series in seen.earlier:
        return SeriesVerdict(series, SeriesState.STOPPED, seen.earlier[series])
    return SeriesVerdict(series, SeriesState.NEVER_STARTED, None)
