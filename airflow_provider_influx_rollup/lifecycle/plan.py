"""What a run of an interval would do and cost. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from statistics import median
from typing import Any

from airflow_provider_influx_rollup.exceptions import BucketNotFound
from airflow_provider_influx_rollup.lifecycle.cost import BYTES_PER_VALUE, CostModel, learn_cost
from airflow_provider_influx_rollup.lifecycle.coverage import (
    NEEDED,
    STAGE,
    CoverageResult,
    WindowCoverage,
    WindowState,
    coverage,
)
from airflow_provider_influx_rollup.lifecycle.source_size import SourceSize, count_cells, measure_source
from airflow_provider_influx_rollup.lifecycle.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.steps import Bucket, FindBucket, Gather, Steps
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant


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
    """

    interval: Interval
    windows: int
    why: str

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**self.interval.as_json(), "windows": self.windows, "why": self.why}


@dataclass(frozen=True, slots=True)
class PlanResult:
    """What a run would do.

    :param needed: what is missing, torn or stale
    :param everything: all that is due and can be run, as a backfill does
    :param frozen: what cannot be run, and why
    :param model: None when the ledger has no history
    """

    coverage: CoverageResult
    needed: Amount
    everything: Amount
    frozen: Sequence[Refusal]
    model: CostModel | None

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
            "gaps": [gap.as_json() for gap in self.coverage.gaps()],
            "history": None if self.model is None else self.model.as_json(),
        }


def plan_windows(spec: RollupSpec, interval: Interval, now: datetime) -> Steps[PlanResult]:
    """Say which windows of an interval are to be done, and what that costs.

    The source's points are counted in the storage engine; the seconds come from the ledger's history.

    :param interval: must be tiled exactly by the grid
    :param now: the time now, aware UTC
    :raises WindowMisaligned: when the grid does not tile the interval
    :raises BucketNotFound: when there is no source bucket
    """
    source, ledger = yield Gather((FindBucket(spec.source_bucket), FindBucket(spec.ledger_bucket)))
    if source is None:
        what = f"there is no source bucket {spec.source_bucket!r}, or the token may not read it"
        raise BucketNotFound(what, http_status=404, window=interval, fix="create it, or correct its name")
    found = yield from coverage(spec, interval, now)
    model = None
    if ledger is not None:
        model = yield from learn_cost(spec.ledger_bucket, spec.pipeline_name, STAGE, now)
    frozen = [*found.in_states(WindowState.FROZEN), *(yield from _poorer(spec, found, source, now))]
    refused = {window.window for window in frozen}
    needed = [window.window for window in found.in_states(*NEEDED) if window.window not in refused]
    done = [window for window in found.in_states(WindowState.COMMITTED) if window.window not in refused]
    size = yield from measure_source(spec, needed)
    to_do = _amount(len(needed), size.points, _expected_values(len(needed), size, done), model)
    everything = _amount(
        len(needed) + len(done),
        size.points + sum(window.rows_in for window in done),
        to_do.values + sum(window.rows_out for window in done),
        model,
    )
    return PlanResult(found, to_do, everything, _refusals(frozen), model)


def _amount(windows: int, points: int, values: int, model: CostModel | None) -> Amount:
    return Amount(windows, points, values, None if model is None else model.seconds(windows, points))


def _expected_values(windows: int, size: SourceSize, done: Sequence[WindowCoverage]) -> int:
    """Target values of windows that are not there yet: as many as its neighbours have, at most one per series."""
    most = windows * size.values_per_window
    return min(most, round(windows * median(window.rows_out for window in done))) if done else most


def _poorer(
    spec: RollupSpec, found: CoverageResult, source: Bucket, now: datetime
) -> Steps[list[WindowCoverage]]:
    """Windows whose source has fewer points than their rollup stands for, because retention took them."""
    horizon = now - timedelta(seconds=source.retention_seconds)
    at_risk = [window for window in found.windows if window.rows_in and window.window.start < horizon]
    if not source.retention_seconds or not at_risk:
        return []
    span = Interval(at_risk[0].window.start, max(window.window.stop for window in at_risk))
    cells = yield from count_cells(spec, span)
    since = f"bucket {source.name!r} keeps points from {format_instant(horizon.replace(microsecond=0))} on"
    return [
        replace(window, why=f"{since} and has fewer than the rollup stands for")
        for window in at_risk
        if window.state is not WindowState.FROZEN and cells.inside(window.window) < window.rows_in
    ]


def _refusals(frozen: Iterable[WindowCoverage]) -> list[Refusal]:
    """Neighbours that are refused for one reason, together."""
    ordered = sorted(frozen, key=lambda window: window.window)
    refusals = []
    for why, members in groupby(ordered, key=lambda window: window.why):
        windows = [window.window for window in members]
        refusals.append(Refusal(Interval(windows[0].start, windows[-1].stop), len(windows), why))
    return refusals
