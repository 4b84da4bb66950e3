"""Whether windows have all the data they should have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.exceptions import BucketNotFound, ConfigurationError
from airflow_provider_influx_rollup.flux.completeness import counts_query
from airflow_provider_influx_rollup.flux.inventory import SeriesSource, last_seen_query, watermark_query
from airflow_provider_influx_rollup.flux.ledger_read import receipts_query
from airflow_provider_influx_rollup.ledger.codec import decode_receipts
from airflow_provider_influx_rollup.lifecycle.inventory import (
    Series,
    expected_from,
    last_seen_by_series,
    match_series,
    series_label,
    series_of,
)
from airflow_provider_influx_rollup.lifecycle.steps import Query, Report, Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.equal_runs import equal_runs
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant
from airflow_provider_influx_rollup.windows.lateness import due_at

INVENTORY = "inventory"
UPSTREAM_STAGE = "rollup"
MAX_LISTED = 50
MAX_LOGGED = 5

Expected = int | str | tuple[Mapping[str, str], ...] | None


@dataclass(frozen=True, slots=True)
class CompletenessSpec:
    """What a complete window has. Plain values, which travel as JSON.

    :param every: length of a window, a Flux duration; None takes the whole interval as one window
    :param lateness: how long after a window's stop its data may still come, a Flux duration
    :param expected: None: any point; a number: so many series; ``"inventory"``: the series seen before the
        interval; or tags of each series, which a series with more tags satisfies too
    :param cadence: how often each series has a point, a Flux duration
    :param min_completeness: which part of the points that ``cadence`` promises is enough, above 0, at most 1
    :param upstream: pipeline whose rollup of the identical windows must be COMMITTED
    """

    bucket: str
    measurement: str
    every: str | None = None
    offset: str = "0s"
    timezone: str = "UTC"
    lateness: str = "0s"
    expected: Expected = None
    cadence: str | None = None
    min_completeness: float = 1.0
    inventory_lookback: str = "7d"
    upstream: str | None = None
    ledger_bucket: str = "rollup_ledger"
    fields: tuple[str, ...] | None = None
    tags: Mapping[str, tuple[str, ...]] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.min_completeness <= 1:
            what = f"min_completeness={self.min_completeness} is not a share of the expected points"
            raise ConfigurationError(what, fix="give a number above 0 and at most 1")
        is_count = isinstance(self.expected, int) and not isinstance(self.expected, bool)
        if is_count and self.expected < 1:  # type: ignore[operator]
            what = f"expected_series={self.expected} expects nothing"
            raise ConfigurationError(what, fix="give 1 or more, or None for any point")
        if isinstance(self.expected, bool) or (isinstance(self.expected, str) and self.expected != INVENTORY):
            what = f"expected_series={self.expected!r} is not possible"
            raise ConfigurationError(what, fix='use None, a number, "inventory" or a list of tags')
        if isinstance(self.expected, tuple) and not self.expected:
            what = "expected_series lists no series"
            raise ConfigurationError(what, fix="list at least one, or use None for any point")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> CompletenessSpec:
        """Take back what ``dataclasses.asdict`` made, after a trip through JSON."""
        known = dict(values)
        if isinstance(known.get("expected"), list):
            known["expected"] = tuple(known["expected"])
        if known.get("fields") is not None:
            known["fields"] = tuple(known["fields"])
        if known.get("tags"):
            known["tags"] = {key: tuple(found) for key, found in known["tags"].items()}
        return cls(**known)

    @property
    def source(self) -> SeriesSource:
        """The points that are watched."""
        return SeriesSource(self.bucket, self.measurement, self.fields, self.tags or {})

    def windows(self, interval: Interval) -> list[Interval]:
        """The windows of an interval.

        :raises WindowMisaligned: when the grid does not tile it
        """
        if self.every is None:
            return [interval]
        return Grid.of(self.every, offset=self.offset, timezone=self.timezone).tile(interval)

    def due_at(self, interval: Interval) -> datetime:
        """The instant before which an interval cannot be complete.

        :raises InvalidDuration: when the lateness is no fixed duration
        """
        return due_at(interval, Duration.of(self.lateness, allow_zero=True))


@dataclass(frozen=True, slots=True)
class WindowCount:
    """What one window has.

    :param points: per series, the points of its most frequent field
    :param rows: all field values
    """

    window: Interval
    points: Mapping[Series, int]
    rows: int


@dataclass(frozen=True, slots=True)
class WindowGap:
    """What one window lacks.

    :param missing: expected series without a point
    :param lacking: how many more series a plain number expects
    :param sparse: series with fewer points than the cadence promises, with the share they have
    :param completeness: share of what is expected that is there, 0 to 1
    """

    window: Interval
    missing: tuple[Series, ...]
    lacking: int
    sparse: tuple[tuple[Series, float], ...]
    completeness: float
    is_empty: bool

    @property
    def is_complete(self) -> bool:
        """Whether nothing is lacking."""
        return not (self.is_empty or self.missing or self.lacking or self.sparse)


def count_windows(windows: Sequence[Interval], rows: Sequence[Mapping[str, Any]]) -> list[WindowCount]:
    """Sort counts into their windows.

    :param rows: what ``counts_query`` returns
    """
    points: dict[datetime, dict[Series, int]] = {window.start: {} for window in windows}
    totals = dict.fromkeys(points, 0)
    for row in rows:
        of_window, series, count = points[row["_time"]], series_of(row), int(row["_value"])
        of_window[series] = max(count, of_window.get(series, 0))
        totals[row["_time"]] += count
    return [WindowCount(window, points[window.start], totals[window.start]) for window in windows]


def find_gap(
    counted: WindowCount,
    *,
    expected: tuple[Series, ...] | int | None,
    cadence: Duration | None,
    min_completeness: float,
) -> WindowGap:
    """Compare a window with what is expected of it.

    :param expected: series, each satisfied by one with the same or more tags; or how many
    """
    listed = expected if isinstance(expected, tuple) else ()
    missing, counting = match_series(listed, counted.points) if listed else ((), counted.points)
    lacking = max(expected - len(counted.points), 0) if isinstance(expected, int) else 0
    shares = _shares(counting, counted.window, cadence)
    sparse = tuple(sorted((s, share) for s, share in shares.items() if share < min_completeness))
    total = max(len(shares) + len(missing) + lacking, 1)
    completeness = sum(min(share, 1.0) for share in shares.values()) / total
    return WindowGap(counted.window, missing, lacking, sparse, completeness, not counted.points)


def _shares(points: Mapping[Series, int], window: Interval, cadence: Duration | None) -> dict[Series, float]:
    if cadence is None:
        return dict.fromkeys(points, 1.0)
    promised = window.duration / cadence.timedelta
    return {series: count / promised for series, count in points.items()}


def check_windows(spec: CompletenessSpec, interval: Interval, now: datetime) -> Steps[dict[str, Any] | None]:
    """Look once; the completion event when all windows of an interval are complete, else None.

    Nothing is read before the interval's stop + lateness, and each call tells what is still missing.

    :param now: the present time
    :return: ``{"window", "windows", "rows", "series", "missing_series", "missing_series_count", "watermark",
        "completeness", "upstream", "state"}``
    :raises WindowMisaligned: when the grid does not tile the interval
    :raises InfluxError: when the server refuses or cannot be reached
    """
    windows, due = spec.windows(interval), spec.due_at(interval)
    if now < due:
        yield Report(f"{interval} is not due before {format_instant(due)} (stop + lateness {spec.lateness})")
        return None
    uncommitted = yield from _uncommitted(spec, interval, windows)
    if uncommitted:
        text = f"{len(uncommitted)} of {len(windows)} windows are not COMMITTED by {spec.upstream}"
        yield Report(f"{interval}: {text}, the first is {uncommitted[0]}")
        return None
    expected = yield from _expected(spec, interval)
    counted: list[WindowCount] = []
    for run in equal_runs(windows):
        counted += count_windows(run.windows, (yield Query(counts_query(spec.source, run))))
    cadence = Duration.of(spec.cadence) if spec.cadence else None
    gaps = [
        find_gap(count, expected=expected, cadence=cadence, min_completeness=spec.min_completeness)
        for count in counted
    ]
    incomplete = [gap for gap in gaps if not gap.is_complete]
    if incomplete:
        yield Report(
            f"{len(incomplete)} of {len(gaps)} windows are incomplete; {describe_gap(incomplete[0])}"
        )
        return None
    rows = yield Query(watermark_query(spec.source, interval))
    watermark = max((row["_time"] for row in rows), default=None)
    return completion_event(spec, interval, counted, gaps, watermark)


def _uncommitted(
    spec: CompletenessSpec, interval: Interval, windows: Sequence[Interval]
) -> Steps[list[Interval]]:
    if spec.upstream is None:
        return []
    query = receipts_query(spec.ledger_bucket, spec.upstream, UPSTREAM_STAGE, interval)
    try:
        rows = yield Query(query)
    except BucketNotFound:
        # the ledger is made by the first rollup that commits a window
        rows = []
    committed = {receipt.window for receipt in decode_receipts(rows) if receipt.is_committed}
    return [window for window in windows if window not in committed]


def _expected(spec: CompletenessSpec, interval: Interval) -> Steps[tuple[Series, ...] | int | None]:
    if isinstance(spec.expected, tuple):
        return expected_from(spec.expected)
    if spec.expected != INVENTORY:
        return spec.expected if isinstance(spec.expected, int) else None
    lookback = Duration.of(spec.inventory_lookback).timedelta
    before = Interval(interval.start - lookback, interval.start)
    rows = yield Query(last_seen_query(spec.source, before, None))
    return tuple(sorted(last_seen_by_series(rows)))


def describe_gap(gap: WindowGap) -> str:
    """One line for the log: what a window lacks."""
    if gap.is_empty:
        return f"{gap.window}: no point yet"
    parts = []
    if gap.missing:
        parts.append(f"{len(gap.missing)} series missing: {_some([series_label(s) for s in gap.missing])}")
    if gap.lacking:
        parts.append(f"{gap.lacking} more series expected")
    if gap.sparse:
        labels = [f"{series_label(series)} ({share:.1%})" for series, share in gap.sparse]
        parts.append(f"{len(gap.sparse)} series below min_completeness: {_some(labels)}")
    return f"{gap.window}: {'; '.join(parts)}"


def _some(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - MAX_LOGGED} more" if len(labels) > MAX_LOGGED else ""
    return "; ".join(labels[:MAX_LOGGED]) + more


def completion_event(
    spec: CompletenessSpec,
    interval: Interval,
    counted: Sequence[WindowCount],
    gaps: Sequence[WindowGap],
    watermark: datetime | None,
) -> dict[str, Any]:
    """What the sensor returns: small JSON."""
    missing = sorted({series for gap in gaps for series in gap.missing})
    return {
        "window": interval.as_json(),
        "windows": len(counted),
        "rows": sum(count.rows for count in counted),
        "series": len({series for count in counted for series in count.points}),
        "missing_series": [dict(series) for series in missing[:MAX_LISTED]],
        "missing_series_count": len(missing),
        "watermark": None if watermark is None else format_instant(watermark),
        "completeness": round(sum(gap.completeness for gap in gaps) / len(gaps), 6),
        "upstream": spec.upstream,
        "state": "complete",
    }
