"""Report how late the points of pipelines were, and which setting of ``lateness`` would have caught them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.lateness_read import (
    CleanChecks,
    FirstCommits,
    GroupCounts,
    LateArrivals,
)
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptsOf
from airflow_provider_influx_rollup.flux.names import validate_name
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.ledger.default_bucket import DEFAULT_LEDGER_BUCKET
from airflow_provider_influx_rollup.ledger.lateness import (
    CleanCheck,
    LateArrival,
)
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.lateness.distribution import Distribution, Sample
from airflow_provider_influx_rollup.lifecycle.lateness.result import Group, LatenessReport, LatenessRow
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import (
    known_name,
    load_stored,
    rollups_in_force,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.run.margins import RECORDS_AHEAD
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.steps.ask import ask, gather
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.equal_runs import equal_runs
from airflow_provider_influx_rollup.windows.interval import Interval

MAX_RUNS_PER_QUERY = 100


@dataclass(frozen=True, slots=True)
class LatenessSpec:
    """Scope of a report.

    :param pipelines: names of pipelines; None takes every rollup of the ledger that reads raw points
    :param group_by: tag keys; each combination of their values becomes a row
    :param watched_within: how long after stop + lateness a window may have been committed first, a Flux duration. One
        that came later, as in a backfill, says nothing about how late its points were
    """

    pipelines: tuple[str, ...] | None = None
    group_by: tuple[str, ...] = ()
    watched_within: str = "1d"
    ledger_bucket: str = DEFAULT_LEDGER_BUCKET

    def __post_init__(self) -> None:
        for key in self.group_by:
            validate_name("tag", key)
        Duration.of(self.watched_within).timedelta  # noqa: B018 - refuses months


@dataclass(frozen=True, slots=True)
class PipelineHistory:
    """Records of the ledger about the windows of one pipeline.

    :param waits: the receipt and the wait, in seconds after the stop, of each watched window's first commit
    :param arrivals: records of late points, by window
    :param unwatched: how many windows were first committed too late to say anything
    """

    spec: RollupSpec
    waits: Mapping[Interval, tuple[Receipt, float]]
    arrivals: Mapping[Interval, Sequence[LateArrival]]
    unwatched: int


def report_lateness(spec: LatenessSpec, interval: Interval, now: datetime) -> Steps[LatenessReport]:
    """Report on the windows that start in an interval.

    :param interval: any interval
    :param now: the time now, aware UTC
    :raises ConfigurationError: when a pipeline is unknown or reads another one, or there is none at all
    """
    rows: list[LatenessRow] = []
    notes: list[str] = []
    unwatched = 0
    stored = yield from load_stored(spec.ledger_bucket)
    known = rollups_in_force(stored)
    if spec.pipelines is not None:
        spec = replace(spec, pipelines=tuple(known_name(name, stored) for name in spec.pipelines))
    for pipeline in _chosen(spec, known):
        watched = yield from _watched(spec, pipeline, interval, now)
        unwatched += watched.unwatched
        notes += _notes(spec, watched)
        if spec.group_by and not _is_sliding(pipeline):
            rows += yield from _rows_by_group(spec, watched)
        else:
            rows += _row(watched, (), _samples(watched))
    rows.sort(key=lambda row: (-row.distribution.late_points, row.pipeline, row.group or ()))
    return LatenessReport(interval, rows, unwatched, notes)


def _chosen(spec: LatenessSpec, known: Mapping[str, RollupSpec]) -> list[RollupSpec]:
    """The pipelines that were asked for."""
    # what is late for a tier was late for the tier below
    raw = {name: found for name, found in known.items() if found.source_tier is None}
    names = sorted(raw) if spec.pipelines is None else list(dict.fromkeys(spec.pipelines))
    unknown = ", ".join(repr(name) for name in names if name not in raw)
    if unknown or not names:
        what = f"ledger {spec.ledger_bucket!r} knows no rollup of raw points" + (
            unknown and f" named {unknown}"
        )
        choices = ", ".join(sorted(raw)) or "none yet; the first rollup makes the ledger"
        raise ConfigurationError(what, written="nothing", fix=f"use one of those it knows: {choices}")
    return [raw[name] for name in names]


def _watched(
    spec: LatenessSpec, pipeline: RollupSpec, interval: Interval, now: datetime
) -> Steps[PipelineHistory]:
    ledger, name = spec.ledger_bucket, pipeline.pipeline_name
    written = Interval(interval.start, now + RECORDS_AHEAD)
    all_receipts, late, checks = yield from gather(
        ReceiptsOf(ledger, name, ROLLUP, interval),
        LateArrivals(ledger, name, interval),
        CleanChecks(ledger, name, written),
    )
    receipts = [receipt for receipt in all_receipts if receipt.generation]
    firsts = {r.window.start_ns: r.written_at for r in receipts if r.generation == 1 and r.is_committed}
    if len(firsts) < len(receipts):
        firsts |= yield from ask(FirstCommits(ledger, name, ROLLUP, written))
    limit = _seconds(pipeline.lateness) + _seconds(spec.watched_within)
    waits: dict[Interval, tuple[Receipt, float]] = {}
    for receipt in receipts:
        first = firsts.get(receipt.window.start_ns)
        wait = None if first is None else max(0.0, (first - receipt.window.stop).total_seconds())
        if wait is not None and wait <= limit:
            waits[receipt.window] = (receipt, wait)
    arrivals: dict[Interval, list[LateArrival]] = defaultdict(list)
    for arrival in late:
        if arrival.window in waits:
            arrivals[arrival.window].append(_tightened(arrival, checks))
    return PipelineHistory(pipeline, waits, arrivals, len(receipts) - len(waits))


def _tightened(arrival: LateArrival, checks: Sequence[CleanCheck]) -> LateArrival:
    """The record with the least lateness that the last look before the repair leaves possible.

    :param checks: the last one first
    """
    for check in checks:
        if check.checked_at < arrival.found_at and any(span.covers(arrival.window) for span in check.spans):
            seconds = (check.checked_at - arrival.window.stop).total_seconds()
            return replace(arrival, at_least_seconds=max(arrival.at_least_seconds, seconds))
    return arrival


def _notes(spec: LatenessSpec, watched: PipelineHistory) -> list[str]:
    name, notes = watched.spec.pipeline_name, []
    if watched.unwatched:
        notes.append(
            f"{name}: {watched.unwatched} windows were first committed more than {spec.watched_within} after their "
            "stop and lateness, so nothing is known of how late their points were; they are left out"
        )
    if not watched.waits:
        notes.append(f"{name}: no window to report on")
    if spec.group_by and _is_sliding(watched.spec):
        notes.append(f"{name}: sliding windows share their points, so that it is reported as a whole")
    return notes


def _samples(watched: PipelineHistory) -> list[Sample]:
    """All points of the watched windows."""
    samples: list[Sample] = []
    for window, (receipt, wait) in watched.waits.items():
        arrivals = watched.arrivals.get(window, ())
        late = sum(arrival.points for arrival in arrivals)
        samples.append(Sample(receipt.rows_in - late, 0.0, wait, is_late=False))
        samples += [_late(arrival, arrival.points) for arrival in arrivals]
    return samples


def _rows_by_group(spec: LatenessSpec, watched: PipelineHistory) -> Steps[list[LatenessRow]]:
    """A row for each combination of tag values; the points of the first commits come from the source as it is now."""
    late, unknown = _late_by_group(watched, spec.group_by)
    counts = yield from _counts_by_group(watched, spec.group_by)
    samples: dict[Group, list[Sample]] = defaultdict(list)
    for (group, window), points in counts.items():
        arrivals = late.get((group, window), [])
        came_late = sum(sample.points for sample in arrivals)
        samples[group].append(Sample(points - came_late, 0.0, watched.waits[window][1], is_late=False))
    for (group, _), arrivals in late.items():
        samples[group] += arrivals
    rows = [row for group in sorted(samples) for row in _row(watched, group, samples[group])]
    return rows + _row(watched, None, unknown)


def _late_by_group(
    watched: PipelineHistory, tag_keys: Sequence[str]
) -> tuple[dict[tuple[Group, Interval], list[Sample]], list[Sample]]:
    """Late points by group and window, and those whose series was not recorded."""
    late: dict[tuple[Group, Interval], list[Sample]] = defaultdict(list)
    unknown: list[Sample] = []
    for window, arrivals in watched.arrivals.items():
        for arrival in arrivals:
            for tags, points in arrival.by_series:
                late[_group(dict(tags), tag_keys), window].append(_late(arrival, points))
            unknown.append(_late(arrival, arrival.points_of_unknown_series))
    return late, unknown


def _counts_by_group(
    watched: PipelineHistory, tag_keys: Sequence[str]
) -> Steps[Mapping[tuple[Group, Interval], int]]:
    spec, counts = watched.spec, Counter[tuple[Group, Interval]]()
    windows = {window.start: window for window in sorted(watched.waits)}
    source = RollupSource(spec.source_bucket, spec.measurement, spec.tags)
    rules = spec.rules()
    runs = equal_runs(windows.values())
    for first in range(0, len(runs), MAX_RUNS_PER_QUERY):
        some = runs[first : first + MAX_RUNS_PER_QUERY]
        for one in (yield from ask(GroupCounts(source, some, tag_keys))):
            if rules.names_for(one.field):
                counts[_group(one.tags, tag_keys), windows[one.start]] += one.points
    return counts


def _group(tags: Mapping[str, Any], tag_keys: Sequence[str]) -> Group:
    return tuple((key, tags.get(key) or "") for key in tag_keys)


def _late(arrival: LateArrival, points: int) -> Sample:
    return Sample(points, arrival.at_least_seconds, arrival.at_most_seconds, is_late=True)


def _row(watched: PipelineHistory, group: Group | None, samples: Iterable[Sample]) -> list[LatenessRow]:
    """One row, or none when there are no points."""
    distribution, spec = Distribution.of(samples), watched.spec
    if not distribution.samples:
        return []
    present = Duration.of(spec.lateness, allow_zero=True)
    name = spec.pipeline_name
    return [
        LatenessRow(
            pipeline=name,
            measurement=spec.measurement,
            group=group,
            windows=len(watched.waits),
            present=present,
            distribution=distribution,
        )
    ]


def _is_sliding(spec: RollupSpec) -> bool:
    return spec.grid.period is not None


def _seconds(duration: str) -> float:
    return Duration.of(duration, allow_zero=True).timedelta.total_seconds()
