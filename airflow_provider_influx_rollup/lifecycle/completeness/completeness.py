"""Whether windows have all the data they should have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.exceptions import BucketNotFound
from airflow_provider_influx_rollup.flux.completeness import SeriesCounts
from airflow_provider_influx_rollup.flux.inventory import LastSeen, Watermark
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptsOf
from airflow_provider_influx_rollup.flux.series import Series
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.completeness.gaps import (
    MAX_LOGGED,
    WindowCount,
    WindowGap,
    count_windows,
    describe_gap,
    find_gap,
)
from airflow_provider_influx_rollup.lifecycle.completeness.incomplete_windows import (
    mark_complete,
    mark_incomplete,
)
from airflow_provider_influx_rollup.lifecycle.completeness.quiet_source import quiet_since
from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
from airflow_provider_influx_rollup.lifecycle.completeness.unknown_pipeline import unknown_pipeline
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import load_stored
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.margins import DEVICE_CLOCKS_AHEAD
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.lifecycle.source.inventory import match_series, series_label
from airflow_provider_influx_rollup.lifecycle.source.inventory_read import read_expected
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.equal_runs import equal_runs
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

MAX_LISTED = 50


@dataclass(frozen=True, slots=True)
class Observation:
    """Result of one poll.

    :param gaps: one for each window, in order
    :param waiting: why the interval as a whole is not complete, besides its gaps
    """

    counted: tuple[WindowCount, ...]
    gaps: tuple[WindowGap, ...]
    waiting: list[str] = field(default_factory=list)

    @property
    def incomplete(self) -> list[WindowGap]:
        """The windows that lack something."""
        return [gap for gap in self.gaps if not gap.is_complete]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is waited for."""
        return not self.incomplete and not self.waiting

    def lacking(self) -> dict[Interval, str]:
        """Gaps of each incomplete window."""
        waiting = "; ".join(self.waiting)
        found = {}
        for gap in self.gaps:
            parts = [] if gap.is_complete else [describe_gap(gap).partition(": ")[2]]
            if waiting:
                parts.append(waiting)
            if parts:
                found[gap.window] = "; ".join(parts)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionEvent:
    """Result of the sensor.

    :param look: what is there
    :param watermark: newest time of a point; None without points
    :param upstream: the pipeline that was waited for
    :param upstream_incomplete: how many of its windows are marked incomplete
    :param note: that the ledger does not know the pipeline whose receipts were marked; else empty
    """

    interval: Interval
    look: Observation
    watermark: datetime | None
    upstream: str | None
    upstream_incomplete: int
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Result of the sensor."""
        look = self.look
        missing = sorted({series for gap in look.gaps for series in gap.missing})
        lacking = look.lacking()
        listed: list[Mapping[str, Any]] = [
            {"window": window.as_json(), "why": why} for window, why in list(lacking.items())[:MAX_LISTED]
        ]
        return {
            "window": self.interval.as_json(),
            "windows": len(look.counted),
            "rows": sum(count.rows for count in look.counted),
            "series": len({series for count in look.counted for series in count.points}),
            "missing_series": [dict(series) for series in missing[:MAX_LISTED]],
            "missing_series_count": len(missing),
            "watermark": None if self.watermark is None else format_instant(self.watermark),
            "completeness": round(sum(gap.completeness for gap in look.gaps) / len(look.gaps), 6),
            "upstream": self.upstream,
            "incomplete": listed,
            "incomplete_count": len(lacking),
            "state": "partial" if lacking else "complete",
            "upstream_incomplete": self.upstream_incomplete,
            **({"note": self.note} if self.note else {}),
        }


def check_windows(
    spec: CompletenessSpec, interval: Interval, clock: Clock, looked_up: set[str] | None = None
) -> Steps[CompletionEvent | None]:
    """Look once; the completion event when all windows of an interval are complete, or a part is enough, else None.

    Nothing is read before the interval's stop + lateness, and each call tells what is still missing.

    :param clock: the present time, aware UTC
    :param looked_up: upstream pipelines whose names earlier looks of this wait have sought in the ledger; it is not asked
        for them again, and this look adds its own
    :raises WindowMisaligned: when the grid does not tile the interval
    :raises InfluxError: when the server refuses or cannot be reached
    """
    now = clock()
    windows, due = spec.windows(interval), spec.due_at(interval)
    if now < due:
        yield from ask(
            Report(f"{interval} is not due before {format_instant(due)} (stop + lateness {spec.lateness})")
        )
        return None
    receipts = yield from _upstream(spec, interval)
    uncommitted = [window for window in windows if spec.upstream and window not in receipts]
    if uncommitted:
        text = f"{len(uncommitted)} of {len(windows)} windows are not COMMITTED by {spec.upstream}"
        text = f"{interval}: {text}, the first is {uncommitted[0]}"
        if not receipts:
            unknown = yield from _unknown(spec, set() if looked_up is None else looked_up)
            text += f"; {unknown}" if unknown else ""
        yield from ask(Report(text))
        return None
    look = yield from look_at(spec, interval, now)
    if spec.quiet_for is not None:
        # what came while the server counted may be in the counts
        since = yield from quiet_since(spec, interval, look.counted, now, clock())
        if now - since < Duration.of(spec.quiet_for, allow_zero=True).timedelta:
            text = f"its counts are known to be the same since {format_instant(since)} only"
            look.waiting.append(f"{text}, quiet_for is {spec.quiet_for}")
    note = ""
    partial_from = spec.partial_from(interval)
    is_enough = partial_from is not None and now >= partial_from
    if not look.is_complete:
        yield from ask(Report(_lacks(interval, look), "warning" if is_enough else "info"))
        if not is_enough:
            return None
        note = yield from mark_incomplete(spec, interval, look.lacking(), now)
    else:
        yield from mark_complete(spec, interval)
    watermark = yield from ask(Watermark(spec.source, interval))
    return CompletionEvent(
        interval=interval,
        look=look,
        watermark=watermark,
        upstream=spec.upstream,
        upstream_incomplete=sum(1 for receipt in receipts.values() if receipt.incomplete),
        note=note,
    )


def look_at(spec: CompletenessSpec, interval: Interval, now: datetime) -> Steps[Observation]:
    """Compare what is there with what is expected, and write nothing.

    :param interval: the grid must tile it
    :param now: the present time
    """
    expected = (
        spec.counted
        if spec.inventory is None
        else (yield from read_expected(spec.inventory, spec.source, interval))
    )
    counted: list[WindowCount] = []
    for run in equal_runs(spec.windows(interval)):
        counted += count_windows(run.windows, (yield from ask(SeriesCounts(spec.source, run))))
    cadence = Duration.of(spec.cadence) if spec.cadence else None
    gaps = [
        find_gap(
            count,
            expected=expected,
            cadence=cadence,
            min_completeness=spec.min_completeness,
            min_series=spec.min_series,
        )
        for count in counted
    ]
    look = Observation(tuple(counted), tuple(gaps))
    if spec.watermark is not None:
        behind = yield from _behind(spec, interval, expected, now)
        look.waiting.extend([behind] if behind else [])
    return look


def _behind(
    spec: CompletenessSpec, interval: Interval, expected: tuple[Series, ...] | int | None, now: datetime
) -> Steps[str]:
    """Expected series without a point past the stop, by the points' own time; empty when enough have one."""
    passed = interval.stop + Duration.of(str(spec.watermark), allow_zero=True).timedelta
    after = Interval(passed, max(now, passed) + DEVICE_CLOCKS_AHEAD)
    seen = yield from ask(LastSeen(spec.source, after))
    listed = expected if isinstance(expected, tuple) else ()
    total = len(listed) or (expected if isinstance(expected, int) else 1)
    behind, _ = match_series(listed, seen)
    lacking = len(behind) if listed else max(total - len(seen), 0)
    if lacking <= total * (1 - spec.min_series) + 1e-9:
        return ""
    names = f": {few([series_label(series) for series in behind], MAX_LOGGED)}" if behind else ""
    return f"{lacking} of {total} series have no point at {format_instant(passed)} or later{names}"


def _upstream(spec: CompletenessSpec, interval: Interval) -> Steps[dict[Interval, Receipt]]:
    """The receipts of the windows that the upstream pipeline has COMMITTED."""
    if spec.upstream is None:
        return {}
    query = ReceiptsOf(spec.ledger_bucket, spec.upstream, ROLLUP, interval)
    try:
        receipts = yield from ask(query)
    except BucketNotFound:
        # the ledger is made by the first rollup that commits a window
        receipts = []
    return {receipt.window: receipt for receipt in receipts if receipt.is_committed}


def _unknown(spec: CompletenessSpec, looked_up: set[str]) -> Steps[str]:
    """Say once that the ledger does not know the upstream pipeline; empty when it does, or was asked before."""
    name = str(spec.upstream)
    if name in looked_up:
        return ""
    stored = yield from load_stored(spec.ledger_bucket)
    looked_up.add(name)
    return unknown_pipeline(name, stored)


def _lacks(interval: Interval, look: Observation) -> str:
    parts = [f"{interval}: {'; '.join(look.waiting)}"] if look.waiting else []
    if look.incomplete:
        first = describe_gap(look.incomplete[0])
        parts.insert(0, f"{len(look.incomplete)} of {len(look.gaps)} windows are incomplete; {first}")
    return "; ".join(parts)
