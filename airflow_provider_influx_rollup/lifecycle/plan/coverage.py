"""Coverage of a pipeline: which windows of its grid are COMMITTED, and what each of the others lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import Any

from airflow_provider_influx_rollup.exceptions import WindowFrozen
from airflow_provider_influx_rollup.flux.ledger_history import CommittedWindow, CoveredWindows
from airflow_provider_influx_rollup.ledger.merged_from import LowerWindows
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks import purged_windows
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import overlapping_marks
from airflow_provider_influx_rollup.lifecycle.pipeline.identity import known_here
from airflow_provider_influx_rollup.lifecycle.pipeline.merged_from import (
    CHANGED_BELOW,
    REPEATED_BELOW,
    read_lower_windows,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.lifecycle.source.retention import horizon, is_too_old
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Bucket, FindBucket, Gather
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant
from airflow_provider_influx_rollup.windows.lateness import is_due


class WindowState(StrEnum):
    """State of a window of the grid, seen from outside."""

    COMMITTED = "committed"
    """Done, by the spec in force."""
    STALE_SPEC = "stale_spec"
    """Done by another spec or grid, or before the tier below was committed with other rows: it holds what was right then."""
    WRITING = "writing"
    """A run is writing it, or died while it did."""
    PLANNED = "planned"
    """A run wanted it and has not begun it."""
    MISSING = "missing"
    """Due, and never run."""
    FROZEN = "frozen"
    """Not done, and retention or a purge has taken its points."""
    NOT_DUE = "not_due"
    """Its stop + lateness has not passed."""


NEEDED = (WindowState.STALE_SPEC, WindowState.WRITING, WindowState.PLANNED, WindowState.MISSING)
SETTLED = (WindowState.COMMITTED, WindowState.NOT_DUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowCoverage:
    """One window of the grid.

    :param why: what its state comes from, in words; empty when COMMITTED
    :param rows_in: source points that the rollup stands for; 0 without a receipt
    :param rows_out: target values; 0 without a receipt
    """

    window: Interval
    state: WindowState
    why: str = ""
    rows_in: int = 0
    rows_out: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """Neighbouring windows that are in one state, and not COMMITTED.

    :param interval: from the first window's start to the last one's stop
    :param windows: how many
    """

    interval: Interval
    state: WindowState
    windows: int
    why: str

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **self.interval.as_json(),
            "state": self.state.value,
            "windows": self.windows,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class CoverageResult:
    """The windows of an interval, each with its state.

    :param windows: in order, one for each window of the grid
    """

    pipeline: str
    interval: Interval
    windows: tuple[WindowCoverage, ...]

    def counts(self) -> dict[str, int]:
        """Number of windows in each state; every state is named."""
        found = Counter(window.state for window in self.windows)
        return {state.value: found[state] for state in WindowState}

    def in_states(self, *states: WindowState) -> tuple[WindowCoverage, ...]:
        """The windows that are in one of these states, in order."""
        return tuple(window for window in self.windows if window.state in states)

    @property
    def needed(self) -> tuple[Interval, ...]:
        """The windows that a run has to do and can do, in order."""
        return tuple(window.window for window in self.in_states(*NEEDED))

    @property
    def is_complete(self) -> bool:
        """Whether every window that is due is COMMITTED by the spec in force."""
        return all(window.state in SETTLED for window in self.windows)

    def gaps(self) -> list[Gap]:
        """Windows that are due and not COMMITTED, as runs of neighbours in one state."""
        gaps = []
        for (state, why), members in groupby(self.windows, key=lambda found: (found.state, found.why)):
            windows = [found.window for found in members]
            if state not in SETTLED:
                span = Interval.spanning(windows)
                gaps.append(Gap(span, state, len(windows), why))
        return gaps

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "pipeline": self.pipeline,
            "interval": self.interval.as_json(),
            "windows": len(self.windows),
            "is_complete": self.is_complete,
            "states": self.counts(),
            "gaps": [gap.as_json() for gap in self.gaps()],
        }


def coverage(spec: RollupSpec, interval: Interval, now: datetime) -> Steps[CoverageResult]:
    """Look up the state of each window of an interval; receipts and records of purges are all that is read.

    :param spec: the spec in force
    :param interval: must be tiled exactly by the grid
    :param now: the time now, aware UTC
    :raises WindowMisaligned: when the grid does not tile the interval
    """
    windows = spec.grid.grid().windows(interval)
    names = (spec.source_bucket, spec.target_bucket, spec.ledger_bucket)
    source, target, ledger = yield from ask(Gather(tuple(FindBucket(name) for name in names)))
    lower: LowerWindows | None = None
    found: Iterable[CommittedWindow] = ()
    purged: Mapping[Interval, WindowFrozen] = {}
    if ledger is not None:
        spec, stored = yield from known_here(spec, source, target)
        # sliding windows start before the interval
        starts = Interval.of_starts(windows)
        found = yield from ask(CoveredWindows(spec.ledger_bucket, spec.pipeline_name, ROLLUP, starts))
        span = Interval.spanning(windows)
        marks = yield from overlapping_marks(spec.ledger_bucket, spec.source_bucket, spec.measurement, span)
        purged = purged_windows(windows, marks)
        lower = yield from read_lower_windows(spec, windows, stored)
    receipts = {one.window.start: one for one in found}
    judge = _Judge(
        spec_hash=spec.spec_hash(),
        lateness=Duration.of(spec.lateness, allow_zero=True),
        now=now,
        source=source,
        purged=purged,
        lower=lower,
        lost=None
        if target is not None
        else f"no target bucket {spec.target_bucket!r}, or the token may not read it",
    )
    judged = tuple(judge.judged(window, receipts.get(window.start)) for window in windows)
    return CoverageResult(spec.pipeline_name, interval, judged)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """Says what state a window is in.

    :param lower: what the tier below holds now
    :param lost: why no row can be there
    """

    spec_hash: str
    lateness: Duration
    now: datetime
    source: Bucket | None
    purged: Mapping[Interval, WindowFrozen]
    lower: LowerWindows | None
    lost: str | None

    def judged(self, window: Interval, receipt: CommittedWindow | None) -> WindowCoverage:
        state, why = self._without_receipt(window) if receipt is None else self._by_receipt(window, receipt)
        if state in NEEDED and window in self.purged:
            state, why = WindowState.FROZEN, f"{why}, and {self.purged[window].what}"
        elif state in NEEDED and self.source is not None:
            edge = horizon(self.source, self.now)
            # whether fewer points were asked for or are there cannot be told
            is_unsure = state is WindowState.STALE_SPEC and edge is not None and window.start < edge
            if is_unsure or is_too_old(window, self.source, self.now):
                state, why = WindowState.FROZEN, f"{why}, and retention may have taken points of it"
        if receipt is None:
            return WindowCoverage(window=window, state=state, why=why)
        return WindowCoverage(
            window=window, state=state, why=why, rows_in=receipt.rows_in, rows_out=receipt.rows_out
        )

    def _without_receipt(self, window: Interval) -> tuple[WindowState, str]:
        if not is_due(window, self.lateness, self.now):
            return WindowState.NOT_DUE, f"its stop + lateness {self.lateness} has not passed"
        return WindowState.MISSING, "never run"

    def _by_receipt(self, window: Interval, receipt: CommittedWindow) -> tuple[WindowState, str]:
        state = receipt.state
        since = format_instant(receipt.written_at.replace(microsecond=0))
        if state is State.WRITING:
            return WindowState.WRITING, f"a run has been writing it since {since}, or died"
        if state is State.PLANNED:
            return WindowState.PLANNED, f"a run wanted it at {since} and has not begun it"
        if self.lost is not None:
            return WindowState.MISSING, self.lost
        why = self._why_stale(window, receipt)
        return (WindowState.STALE_SPEC, why) if why else (WindowState.COMMITTED, "")

    def _why_stale(self, window: Interval, receipt: CommittedWindow) -> str:
        """What a committed window is not any more; empty when it is right."""
        if receipt.window != window:
            return "it was committed with another grid"
        if receipt.spec_hash != self.spec_hash:
            return "it was committed with another spec"
        lower = self.lower
        if lower is not None and not lower.are_those_of(window, receipt.merged_from, receipt.written_at):
            return CHANGED_BELOW if receipt.merged_from else REPEATED_BELOW
        return ""
