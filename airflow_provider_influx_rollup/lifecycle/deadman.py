"""Which series are silent, and the statuses that say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError, WriteRejected
from airflow_provider_influx_rollup.flux.deadman import STATUS_MEASUREMENT, last_statuses_query
from airflow_provider_influx_rollup.flux.delete_predicate import delete_predicate
from airflow_provider_influx_rollup.flux.inventory import SeriesSource, last_seen_query
from airflow_provider_influx_rollup.lifecycle.check_status import (
    LEVELS,
    Check,
    Status,
    encode_status,
    read_status,
)
from airflow_provider_influx_rollup.lifecycle.inventory import (
    Series,
    expected_from,
    grouping_of,
    last_seen_by_series,
    series_label,
)
from airflow_provider_influx_rollup.lifecycle.series_state import (
    DEAD,
    Seen,
    SeriesState,
    Verdict,
    judge,
)
from airflow_provider_influx_rollup.lifecycle.steps import Delete, Query, Report, Steps, Write
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval, format_instant

MAX_LISTED = 200
RETIRED_LEVEL = "info"
NOTHING_EXPECTED_LEVEL = "warn"
NO_SERIES: Series = ()


@dataclass(frozen=True, slots=True)
class DeadmanSpec:
    """What a deadman check watches. Plain values, which travel as JSON.

    :param group_by: tag keys that tell series apart; None takes those of ``expected``, else all
    :param silence: how long without a point is death, a Flux duration; None takes the interval's length
    :param expected: tags of each expected series; None expects what was seen within the lookback
    :param inventory_lookback: how long before the interval a series may have been seen last
    :param retire_after: how long a series without ``expected`` may be silent until it is retired; None retires
        it when it leaves the lookback
    :param check_name: None makes one from what is watched
    :param dry_run: write no status
    """

    bucket: str
    measurement: str
    group_by: tuple[str, ...] | None = None
    silence: str | None = None
    expected: tuple[Mapping[str, str], ...] | None = None
    inventory_lookback: str = "7d"
    retire_after: str | None = None
    status_bucket: str = "_monitoring"
    level: str = "crit"
    ok_level: str = "ok"
    check_name: str | None = None
    fields: tuple[str, ...] | None = None
    tags: Mapping[str, tuple[str, ...]] | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        for name in ("level", "ok_level"):
            if getattr(self, name) not in LEVELS:
                what = f"{name}={getattr(self, name)!r} is not a level of InfluxDB's checks"
                raise ConfigurationError(what, fix=f"use one of {', '.join(LEVELS)}")
        if self.level in (self.ok_level, RETIRED_LEVEL):
            what = f"level={self.level!r} does not tell dead series from others"
            raise ConfigurationError(what, fix="use crit or warn")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> DeadmanSpec:
        """Take back what ``dataclasses.asdict`` made, after a trip through JSON."""
        known = dict(values)
        for name in ("group_by", "expected", "fields"):
            known[name] = None if known.get(name) is None else tuple(known[name])
        if known.get("tags"):
            known["tags"] = {key: tuple(found) for key, found in known["tags"].items()}
        return cls(**known)

    @property
    def source(self) -> SeriesSource:
        """The points that are watched."""
        return SeriesSource(self.bucket, self.measurement, self.fields, self.tags or {})

    @property
    def check(self) -> Check:
        """The check as its statuses name it; another filter or grouping is another check."""
        if self.check_name:
            return Check(self.check_name, self.measurement)
        name = f"deadman {self.bucket}/{self.measurement}"
        if self.group_by is not None:
            name += f" by {','.join(self.group_by)}"
        if self.fields is not None:
            name += f" fields {','.join(self.fields)}"
        for key, values in sorted((self.tags or {}).items()):
            name += f" {key}={'|'.join(values)}"
        return Check(name, self.measurement)


@dataclass(frozen=True, slots=True)
class Spans:
    """The spans that a check reads: nothing outside ``[start - lookback, stop)``.

    :param recent: the silence before the stop
    :param earlier: the inventory before it
    :param silence: how long without a point is death
    :param retired_before: a series last seen before this is retired; None when nothing says so
    """

    recent: Interval
    earlier: Interval
    silence: Duration
    retired_before: datetime | None


def spans_of(spec: DeadmanSpec, interval: Interval) -> Spans:
    """Decide what to read for an interval.

    :raises ConfigurationError: when the lookback ends before the silence begins, or a series would be retired
        before it is dead
    :raises InvalidDuration: when a duration is none
    """
    silence = Duration.of(spec.silence or interval.duration)
    lookback = Duration.of(spec.inventory_lookback).timedelta
    dead_from = interval.stop - silence.timedelta
    retired_before = None
    if spec.retire_after and spec.expected is None:
        retire_after = Duration.of(spec.retire_after).timedelta
        if retire_after <= silence.timedelta:
            what = f"retire_after={spec.retire_after} is not longer than the silence {silence}"
            raise ConfigurationError(what, window=interval, fix="give a longer retire_after")
        retired_before = interval.stop - retire_after
        lookback = max(lookback, retire_after)
    reach = interval.start - lookback
    if dead_from <= reach:
        what = f"the silence {silence} is longer than the interval and inventory_lookback together"
        raise ConfigurationError(what, window=interval, fix="give a longer inventory_lookback")
    return Spans(Interval(dead_from, interval.stop), Interval(reach, dead_from), silence, retired_before)


def check_deadman(spec: DeadmanSpec, interval: Interval) -> Steps[dict[str, Any]]:
    """Judge each expected series at the stop of an interval, and write one status for each.

    Statuses get the interval's stop as their time: a rerun overwrites its own, and an old interval never
    changes what is known of the present.

    :param interval: what is evaluated
    :return: small JSON: ``state`` is ``ok``, ``dead`` or ``nothing_expected``
    :raises ConfigurationError: when the spec contradicts itself
    :raises InfluxError: when the server refuses or cannot be reached
    """
    spans = spans_of(spec, interval)
    expected = None if spec.expected is None else expected_from(spec.expected)
    keys = grouping_of(spec.group_by, expected)
    recent = last_seen_by_series((yield Query(last_seen_query(spec.source, spans.recent, keys))))
    earlier = last_seen_by_series((yield Query(last_seen_query(spec.source, spans.earlier, keys))))
    levels = yield from _read_levels(spec, Interval(spans.earlier.start, interval.stop))
    seen = Seen(recent, earlier, levels)
    length = interval.duration
    verdicts = judge(
        seen,
        expected=expected,
        dead_level=spec.level,
        retired_before=spans.retired_before,
        retires_from=spans.retired_before - length if spans.retired_before else None,
    )
    result = _result(spec, interval, verdicts, seen, expected)
    statuses = _statuses(spec, interval, spans.silence, verdicts, levels)
    yield from _report(spec, interval, result)
    if spec.dry_run:
        return result | {"statuses_written": 0, "dry_run": True}
    written = yield from write_statuses(spec, interval, statuses)
    return result | written


def _read_levels(spec: DeadmanSpec, interval: Interval) -> Steps[dict[Series, str]]:
    rows = yield Query(last_statuses_query(spec.status_bucket, spec.check.id, interval))
    latest: dict[Series, tuple[datetime, str]] = {}
    for row in rows:
        series, level, time = read_status(row)
        if series not in latest or latest[series][0] < time:
            latest[series] = (time, level)
    return {series: level for series, (_, level) in latest.items()}


def _statuses(
    spec: DeadmanSpec,
    interval: Interval,
    silence: Duration,
    verdicts: list[Verdict],
    levels: Mapping[Series, str],
) -> list[Status]:
    statuses = [_status(spec, interval, silence, verdict) for verdict in verdicts]
    if NO_SERIES in {verdict.series for verdict in verdicts}:
        return statuses
    if not any(verdict.state is not SeriesState.RETIRED for verdict in verdicts):
        message = f"nothing is expected of {spec.bucket}/{spec.measurement}: no series was seen or listed"
        statuses.append(Status(NO_SERIES, NOTHING_EXPECTED_LEVEL, message, interval.stop, is_dead=False))
    elif levels.get(NO_SERIES) == NOTHING_EXPECTED_LEVEL:
        message = f"series of {spec.bucket}/{spec.measurement} are expected again"
        statuses.append(Status(NO_SERIES, spec.ok_level, message, interval.stop, is_dead=False))
    return statuses


def _status(spec: DeadmanSpec, interval: Interval, silence: Duration, verdict: Verdict) -> Status:
    name, seen = series_label(verdict.series), verdict.last_seen
    last = f"its last point is at {format_instant(seen)}" if seen else "no point was found"
    at = f"at {format_instant(interval.stop)}"
    texts = {
        SeriesState.ALIVE: f"{name} is alive: {last}",
        SeriesState.CAME_BACK: f"{name} came back: {last}",
        SeriesState.STOPPED: f"{name} stopped: silent for {silence} or longer {at}, {last}",
        SeriesState.NEVER_STARTED: f"{name} never started: expected {at}, {last}",
        SeriesState.RETIRED: f"{name} is retired: no longer expected {at}, {last}",
    }
    level = spec.level if verdict.state in DEAD else spec.ok_level
    if verdict.state is SeriesState.RETIRED:
        level = RETIRED_LEVEL
    is_dead = verdict.state in DEAD
    return Status(verdict.series, level, texts[verdict.state], seen or interval.stop, is_dead)


def write_statuses(spec: DeadmanSpec, interval: Interval, statuses: list[Status]) -> Steps[dict[str, Any]]:
    """Write statuses at an interval's stop, and remove those of an earlier run that say otherwise.

    :return: ``statuses_written``, and ``statuses_note`` when the status bucket keeps no times that old
    """
    check, at = spec.check, interval.stop
    instant = Interval(at, at + MICROSECOND)
    rows = yield Query(last_statuses_query(spec.status_bucket, check.id, instant))
    planned = {(status.series, status.level) for status in statuses}
    stale_levels = {level for series, level, _ in map(read_status, rows) if (series, level) not in planned}
    lines = [encode_status(check, status, at) for status in statuses]
    try:
        yield Write(spec.status_bucket, lines)
    except WriteRejected as error:
        if "retention policy" not in str(error):
            raise
        note = f"bucket {spec.status_bucket!r} keeps no statuses as old as {format_instant(at)}: none written"
        yield Report(note, "warning")
        return {"statuses_written": 0, "statuses_note": note}
    for level in sorted(stale_levels):
        tags = {"_check_id": check.id, "_level": level}
        yield Delete(spec.status_bucket, instant, delete_predicate(STATUS_MEASUREMENT, tags))
    again = [line for status, line in zip(statuses, lines, strict=True) if status.level in stale_levels]
    if again:
        # a delete takes the whole level: tag equality also matches series with more tags
        yield Write(spec.status_bucket, again)
    return {"statuses_written": len(lines)}


def _result(
    spec: DeadmanSpec,
    interval: Interval,
    verdicts: list[Verdict],
    seen: Seen,
    expected: tuple[Series, ...] | None,
) -> dict[str, Any]:
    dead = [verdict for verdict in verdicts if verdict.state in DEAD]
    came_back = [verdict for verdict in verdicts if verdict.state is SeriesState.CAME_BACK]
    retired = [verdict for verdict in verdicts if verdict.state is SeriesState.RETIRED]
    expected_count = len(verdicts) - len(retired)
    return {
        "window": interval.as_json(),
        "check_id": spec.check.id,
        "check_name": spec.check.name,
        "expected": expected_count,
        "alive": expected_count - len(dead),
        "dead_count": len(dead),
        "dead": [verdict.as_json() for verdict in dead[:MAX_LISTED]],
        "came_back_count": len(came_back),
        "came_back": [verdict.as_json() for verdict in came_back[:MAX_LISTED]],
        "retired_count": len(retired),
        "retired": [verdict.as_json() for verdict in retired[:MAX_LISTED]],
        "unexpected": 0 if expected is None else len(set(seen.recent) - set(expected)),
        "measurement_silent": not seen.recent,
        "state": "dead" if dead else "ok" if expected_count else "nothing_expected",
    }


def _report(spec: DeadmanSpec, interval: Interval, result: Mapping[str, Any]) -> Steps[None]:
    where = f"{spec.bucket}/{spec.measurement} at {format_instant(interval.stop)}"
    if result["state"] == "nothing_expected":
        yield Report(f"{where}: nothing is expected: no series was seen or listed", "warning")
        return
    counts = ", ".join(f"{result[key]} {word}" for key, word in COUNTED.items())
    yield Report(f"{where}: {counts}", "warning" if result["dead_count"] else "info")
    for verdict in result["dead"][:20]:
        label = series_label(tuple(sorted(verdict["series"].items())))
        yield Report(f"{verdict['state']}: {label}, last seen {verdict['last_seen'] or 'never'}", "warning")


COUNTED = {
    "expected": "expected",
    "alive": "alive",
    "dead_count": "dead",
    "came_back_count": "came back",
    "retired_count": "retired",
}


def steps_from_job(
    job: Mapping[str, Any],
    clock: Callable[[], datetime],  # noqa: ARG001 - as all verbs; a deadman knows no present time
) -> Steps[dict[str, Any]]:
    """The verb as a job of the triggerer.

    :param job: ``spec`` as JSON and ``intervals``, exactly one
    :param clock: not used
    """
    (bounds,) = job["intervals"]
    interval = Interval(datetime.fromisoformat(bounds["start"]), datetime.fromisoformat(bounds["stop"]))
    return check_deadman(DeadmanSpec.from_json(job["spec"]), interval)
