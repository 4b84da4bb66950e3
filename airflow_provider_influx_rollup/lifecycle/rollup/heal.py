"""Roll up earlier windows that were never committed, so that one run after a downtime makes all right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.ledger.merged_from import LowerWindows
from airflow_provider_influx_rollup.ledger.purges import PurgeMark
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.ledger.history import receipts_of
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks import purged_windows
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import overlapping_marks
from airflow_provider_influx_rollup.lifecycle.pipeline.identity import known_here
from airflow_provider_influx_rollup.lifecycle.pipeline.merged_from import read_lower_windows
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup_run import RollupRun
from airflow_provider_influx_rollup.lifecycle.rollup.windows import roll_up_windows
from airflow_provider_influx_rollup.lifecycle.run.margins import BUSY_FOR
from airflow_provider_influx_rollup.lifecycle.run.options import FAIL_AT_END
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.window_errors import cause_of, gaps_of, is_of_windows
from airflow_provider_influx_rollup.lifecycle.source.retention import dropped_windows, is_too_old
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import FindBucket, Gather, Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.runs import stretches

MAX_TOLD = 20
# the first whole one that InfluxDB can store
FIRST_YEAR = 1678
NOT_COMMITTED = "the window was not committed"
OTHER_SPEC = "the window was committed under another declaration"
TIER_CHANGED = "the tier below was committed since"


@dataclass(slots=True, kw_only=True)
class HealResult:
    """Results of the windows before a run.

    :param windows: all windows of the lookback, in order
    :param missing: those to roll up
    :param reasons: why each of these is rolled up
    :param healed: how many were rolled up and are COMMITTED now
    :param left: those that are not COMMITTED, with the reason
    """

    windows: Sequence[Interval] = ()
    missing: Sequence[Interval] = ()
    reasons: Mapping[Interval, str] = field(default_factory=dict)
    healed: int = 0
    left: dict[Interval, str] = field(default_factory=dict)

    def stretches(self) -> list[tuple[str, tuple[Interval, ...]]]:
        """The missing windows as runs of neighbours, each with the reason why it is rolled up."""
        by_reason: dict[str, list[Interval]] = {}
        for window in self.missing:
            by_reason.setdefault(self.reasons[window], []).append(window)
        found = [
            (why, some) for why, missing in by_reason.items() for some in stretches(self.windows, missing)
        ]
        return sorted(found, key=lambda one: one[1][0])

    def left_as_json(self) -> list[dict[str, Any]]:
        """Runs of neighbours that were left, the first ones."""
        gaps = gaps_of(self.windows, self.left)
        told = [
            {**Interval.spanning(some).as_json(), "windows": len(some), "why": why}
            for some, why in gaps[:MAX_TOLD]
        ]
        if len(gaps) > len(told):
            more = [window for some, _ in gaps[len(told) :] for window in some]
            span = Interval.spanning(more)
            told.append({**span.as_json(), "windows": len(more), "why": "several; the log names them"})
        return told


def heal_before(run: RollupRun, interval: Interval) -> Steps[HealResult]:
    """Roll up the windows before an interval that are not COMMITTED under this spec, the oldest first.

    So is a window of a tier whose tier below has been committed with other rows since.

    What cannot be rolled up is left and told; frozen windows are never forced.

    :param interval: of the run itself
    :raises InfluxRollupError: what the run's own windows would meet too, such as a server that is away
    """
    return (yield from heal_windows(run, (yield from plan_healing(run, interval))))


def heal_windows(run: RollupRun, healing: HealResult) -> Steps[HealResult]:
    """Roll up the missing windows of a healing, each stretch of neighbours on its own.

    :raises InfluxRollupError: what the run's own windows would meet too, such as a server that is away
    """
    gentle = replace(run.options, force=False, on_window_error=FAIL_AT_END)
    for why, some in healing.stretches():
        yield from ask(Report(f"Healing {len(some)} windows from {some[0]} on: {why}"))
        healer = replace(run, info=replace(run.info, reason=f"heal: {why}"), options=gentle)
        try:
            outcome = yield from roll_up_windows(healer, some)
        except InfluxRollupError as error:
            if not is_of_windows(error):
                raise
            healing.left.update(dict.fromkeys(some, cause_of(error)))
            continue
        healing.healed += len(outcome.committed)
        healing.left.update((window, cause_of(error)) for window, error in outcome.failed.items())
    for gap, why in gaps_of(healing.windows, healing.left):
        span = Interval.spanning(gap)
        yield from ask(Report(f"{len(gap)} windows of {span} are not healed: {why}", level="warning"))
    return healing


def plan_healing(run: RollupRun, interval: Interval) -> Steps[HealResult]:
    """Find the windows to heal, and those that are left.

    :param interval: of the run itself
    """
    spec, options, now = run.spec, run.options, run.now()
    windows = _windows_before(spec, interval, Duration.of(options.heal or "0s", allow_zero=True))
    if not windows:
        return HealResult()
    receipts: Mapping[Interval, Receipt] = {}
    marks: Sequence[PurgeMark] = ()
    lower: LowerWindows | None = None
    names = (spec.source_bucket, spec.target_bucket, spec.ledger_bucket)
    source, target, ledger = yield from ask(Gather(tuple(FindBucket(name) for name in names)))
    if ledger is not None:
        spec, stored = yield from known_here(spec, source, target)
        receipts = yield from receipts_of(spec.ledger_bucket, spec.pipeline_name, windows)
        span = Interval.spanning(windows)
        marks = yield from overlapping_marks(spec.ledger_bucket, spec.source_bucket, spec.measurement, span)
        lower = yield from read_lower_windows(spec, windows, stored)
    spec_hash = spec.spec_hash()
    reasons = {
        window: why
        for window in windows
        if (why := _why_undone(receipts.get(window), spec_hash, lower)) is not None
    }
    undone = list(reasons)
    left = {window: why for window in undone if (why := _why_busy(receipts.get(window), run.info, now))}
    # these would take the places of windows that can be healed, in each run again
    left |= {window: f"frozen: {error.what}" for window, error in purged_windows(undone, marks).items()}
    if source is not None:
        frozen = f"frozen: retention of bucket {source.name!r} has reached them"
        left |= dict.fromkeys((window for window in undone if is_too_old(window, source, now)), frozen)
    if target is not None:
        dropped = f"dropped: retention of target bucket {target.name!r} has reached them"
        left |= dict.fromkeys(dropped_windows(undone, target, now), dropped)
    free = [window for window in undone if window not in left]
    most = options.heal_max_windows
    left |= dict.fromkeys(free[most:], f"one run heals at most {most} windows (heal_max_windows)")
    return HealResult(windows=windows, missing=free[:most], reasons=reasons, left=left)


def _windows_before(spec: RollupSpec, interval: Interval, lookback: Duration) -> list[Interval]:
    grid = spec.grid.grid()
    first = grid.ceil(lookback_start(interval.start, lookback))
    return grid.windows(Interval(first, interval.start)) if first < interval.start else []


def lookback_start(instant: datetime, lookback: Duration) -> datetime:
    """How far back windows are healed.

    :param instant: where the run's own windows start
    """
    if not lookback.months:
        return instant - lookback.timedelta
    months = max(instant.year * 12 + instant.month - 1 - lookback.months, FIRST_YEAR * 12)
    # a day that each month has; a little more is healed
    return instant.replace(year=months // 12, month=months % 12 + 1, day=min(instant.day, 28))


def _why_undone(receipt: Receipt | None, spec_hash: str, lower: LowerWindows | None) -> str | None:
    """Why a window is to be rolled up; None when it is right, as far as the ledger knows."""
    if receipt is None or not receipt.is_committed:
        return NOT_COMMITTED
    if receipt.spec_hash != spec_hash:
        return OTHER_SPEC
    is_current = lower is None or lower.are_those_of(receipt.window, receipt.merged_from, receipt.written_at)
    return None if is_current else TIER_CHANGED


def _why_busy(receipt: Receipt | None, run: RunInfo, now: datetime) -> str | None:
    """A window that another run is writing just now is left to it."""
    if receipt is None or receipt.state is not State.WRITING or now - receipt.written_at >= BUSY_FOR:
        return None
    if (receipt.dag_id, receipt.task_id, receipt.run_id) == (run.dag_id, run.task_id, run.run_id):
        return None
    return f"run {receipt.run_id!r} is writing it"
