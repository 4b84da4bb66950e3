"""Plan a run of an interval: what it would do and cost. Nothing is written."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from statistics import median
from typing import Any

from airflow_provider_influx_rollup.lifecycle.pipeline.identity import as_known, known_spec
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import load_stored
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.tier_below import (
    Edge,
    column_rules,
    find_tier_below,
    read_edge,
)
from airflow_provider_influx_rollup.lifecycle.plan.cost import BYTES_PER_VALUE, CostModel, learn_cost
from airflow_provider_influx_rollup.lifecycle.plan.coverage import (
    CoverageResult,
    WindowCoverage,
    WindowState,
    coverage,
)
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.lifecycle.source.buckets import existing
from airflow_provider_influx_rollup.lifecycle.source.retention import horizon, is_too_old, keeps_what_is_lost
from airflow_provider_influx_rollup.lifecycle.source.size import (
    Rules,
    SourceSize,
    count_cells,
    measure_source,
)
from airflow_provider_influx_rollup.steps.ask import gather
from airflow_provider_influx_rollup.steps.influx import Bucket, FindBucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant
from airflow_provider_influx_rollup.windows.nesting import cells_below


@dataclass(frozen=True, slots=True)
class Amount:
    """So much work.

    :param points: source points that it reads
    :param values: target values that it writes
    :param seconds: estimated; None when the ledger has no history
    """

    windows: int
    points: int
    values: int
    seconds: float | None

    @property
    def size_bytes(self) -> int:
        """The target values before compression."""
        return self.values * BYTES_PER_VALUE

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "windows": self.windows,
            "points": self.points,
            "seconds": None if self.seconds is None else round(self.seconds, 3),
            "values": self.values,
            "bytes": self.size_bytes,
        }


@dataclass(frozen=True, slots=True)
class Refusal:
    """Neighbouring windows that a run would refuse, and why.

    :param windows: how many
    :param is_committed: whether they are done, so that nothing is lost
    """

    interval: Interval
    windows: int
    is_committed: bool
    why: str

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **self.interval.as_json(),
            "windows": self.windows,
            "is_committed": self.is_committed,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanResult:
    """Plan of a run.

    :param needed: what is missing, torn or stale
    :param everything: all that is due and can be run, as a backfill does
    :param frozen: what cannot be run, and why
    :param waiting: needed windows of a tier whose time the tier below has not COMMITTED
    :param model: None when the ledger has no history
    """

    coverage: CoverageResult
    needed: Amount
    everything: Amount
    frozen: Sequence[Refusal]
    waiting: Sequence[Interval]
    model: CostModel | None

    @property
    def is_possible(self) -> bool:
        """Whether everything that is not done can still be done."""
        return all(refusal.is_committed for refusal in self.frozen)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "pipeline": self.coverage.pipeline,
            "interval": self.coverage.interval.as_json(),
            "windows": len(self.coverage.windows),
            "states": self.coverage.counts(),
            "needed": self.needed.as_json(),
            "everything": self.everything.as_json(),
            "frozen": [refusal.as_json() for refusal in self.frozen],
            "waiting": len(self.waiting),
            "gaps": [gap.as_json() for gap in self.coverage.gaps()],
            "history": None if self.model is None else self.model.as_json(),
        }


def plan_windows(
    spec: RollupSpec,
    interval: Interval,
    now: datetime,
    *,
    others: Sequence[RollupSpec] = (),
    to_be_made: Collection[str] = (),
) -> Steps[PlanResult]:
    """Say which windows of an interval are to be done, and what that costs.

    The source's points are counted in the storage engine; the seconds come from the ledger's history.

    :param interval: must be tiled exactly by the grid
    :param now: the time now, aware UTC
    :param others: specs that will be in force, whatever the ledger says, such as those of one DAG
    :param to_be_made: buckets that do not exist yet; how many points they will have is not known
    :raises WindowMisaligned: when the grid does not tile the interval
    :raises BucketNotFound: when there is no source bucket
    :raises ReceiptMissing: when the tier below is not known
    """
    source, ledger = yield from gather(FindBucket(spec.source_bucket), FindBucket(spec.ledger_bucket))
    if source is None and spec.source_bucket in to_be_made:
        return _of_new_bucket((yield from coverage(spec, interval, now)))
    source = existing(source, spec.source_bucket, interval, role="source")
    if ledger is not None:
        spec = yield from known_spec(spec)
    found = yield from coverage(spec, interval, now)
    model = None
    if ledger is not None:
        model = yield from learn_cost(spec.ledger_bucket, spec.pipeline_name, ROLLUP, now)
    below = yield from _edge_below(spec, found, ledger, others)
    found = _with_redone_below(found, below)
    rules = column_rules(spec, None if below is None else below.below)
    frozen = yield from _frozen(spec, rules, found, source, now)
    refused = {window.window for window in frozen}
    needed = [window for window in found.needed if window not in refused]
    done = [window for window in found.in_states(WindowState.COMMITTED) if window.window not in refused]
    size = yield from measure_source(spec, rules, needed)
    to_do = _amount(len(needed), size.points, _expected_values(len(needed), size, done), model)
    everything = _amount(
        len(needed) + len(done),
        size.points + sum(window.rows_in for window in done),
        to_do.values + sum(window.rows_out for window in done),
        model,
    )
    waiting = () if below is None else tuple(below.missing(needed))
    return PlanResult(
        coverage=found,
        needed=to_do,
        everything=everything,
        frozen=_refusals(frozen),
        waiting=waiting,
        model=model,
    )


def _of_new_bucket(found: CoverageResult) -> PlanResult:
    """The plan of a rollup whose source is made by the run."""
    amount = Amount(len(found.needed), points=0, values=0, seconds=None)
    return PlanResult(
        coverage=found, needed=amount, everything=amount, frozen=(), waiting=found.needed, model=None
    )


def _with_redone_below(found: CoverageResult, below: Edge | None) -> CoverageResult:
    """Windows of a tier are rolled up again too when those of the tier below are."""
    starts = sorted(cell.start for cell in below.to_be_redone()) if below else []
    if not starts:
        return found

    def judged(one: WindowCoverage) -> WindowCoverage:
        is_above = bisect_left(starts, one.window.start) < bisect_left(starts, one.window.stop)
        if one.state is not WindowState.COMMITTED or not is_above:
            return one
        return replace(one, state=WindowState.STALE_SPEC, why="the tier below is to be rolled up again first")

    return replace(found, windows=tuple(judged(one) for one in found.windows))


def _edge_below(
    spec: RollupSpec, found: CoverageResult, ledger: Bucket | None, others: Sequence[RollupSpec]
) -> Steps[Edge | None]:
    """Receipts of the tier below; None for a rollup of raw points."""
    if spec.source_tier is None:
        return None
    windows = [window.window for window in found.windows]
    stored: list[StoredSpec] = [StoredSpec.of(one) for one in others]
    if ledger is None:
        below = find_tier_below(spec, stored)
        grid = below.spec.grid.grid()
        return Edge(below, tuple(cell for window in windows for cell in cells_below(grid, window)), {})
    known = {one.key for one in stored}
    in_ledger = yield from load_stored(spec.ledger_bucket)
    spec = as_known(spec, in_ledger)
    stored += [one for one in in_ledger if one.key not in known]
    return (yield from read_edge(spec, windows, stored))


def _amount(windows: int, points: int, values: int, model: CostModel | None) -> Amount:
    return Amount(windows, points, values, None if model is None else model.seconds(windows, points))


def _expected_values(windows: int, size: SourceSize, done: Sequence[WindowCoverage]) -> int:
    """Target values of windows that are not there yet: as many as its neighbours have, at most one per series."""
    most = windows * size.values_per_window
    return min(most, round(windows * median(window.rows_out for window in done))) if done else most


def _frozen(
    spec: RollupSpec, rules: Rules, found: CoverageResult, source: Bucket, now: datetime
) -> Steps[list[WindowCoverage]]:
    """Windows that a run would refuse: too old, or with fewer source points than their rollup stands for."""
    frozen = list(found.in_states(WindowState.FROZEN))
    edge = horizon(source, now)
    if edge is None:
        return frozen
    since = f"bucket {source.name!r} keeps points from {format_instant(edge.replace(microsecond=0))} on"
    done = [window for window in found.windows if window.state is not WindowState.FROZEN and window.rows_in]
    at_risk = []
    for window in done:
        if is_too_old(window.window, source, now):
            frozen.append(replace(window, why=since))
        elif window.window.start < edge or (
            keeps_what_is_lost(spec, source) and window.state is not WindowState.STALE_SPEC
        ):
            at_risk.append(window)
    if at_risk:
        span = Interval.spanning([window.window for window in at_risk])
        cells = yield from count_cells(spec, rules, span)
        why = f"{since} and has fewer than the rollup stands for"
        frozen += [
            replace(window, why=why) for window in at_risk if cells.inside(window.window) < window.rows_in
        ]
    return frozen


def _refusals(frozen: Iterable[WindowCoverage]) -> list[Refusal]:
    """Neighbours that are refused for one reason, together."""
    ordered = sorted(frozen, key=lambda window: window.window)
    refusals = []
    for (is_committed, why), members in groupby(
        ordered, key=lambda window: (window.state is WindowState.COMMITTED, window.why)
    ):
        windows = [window.window for window in members]
        span = Interval.spanning(windows)
        refusals.append(Refusal(span, len(windows), is_committed, why))
    return refusals
