"""Refuse a shorter retention that would take points of which nothing was made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.first_points import FirstPoints
from airflow_provider_influx_rollup.flux.ledger_history import CoveredWindows
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import STAGE as ARCHIVE
from airflow_provider_influx_rollup.lifecycle.buckets.lengths import length_text
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_bucket import Bucket
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import load_pipelines
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.plan.coverage import WindowState, coverage
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import BucketSettings, FindBucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.all_time import EVER
from airflow_provider_influx_rollup.windows.coverage import subtract
from airflow_provider_influx_rollup.windows.interval import Interval

MAX_NAMED = 5


def require_nothing_lost(
    wanted: Bucket, found: BucketSettings, ledger_bucket: str, now: datetime
) -> Steps[None]:
    """Refuse a retention that takes points which no archive holds and some rollup lacks.

    A measurement's points may go when its archive has all of them, or when every pipeline that reads them has COMMITTED all
    of their windows, and there is one.

    :param now: the time now, aware UTC
    :raises ConfigurationError: naming the windows
    """
    edge = now - timedelta(seconds=wanted.retention_seconds)
    firsts = yield from ask(FirstPoints(wanted.name, Interval(EVER.start, edge)))
    if not firsts:
        return
    pipelines = yield from load_pipelines(ledger_bucket)
    has_ledger = (yield from ask(FindBucket(ledger_bucket))) is not None
    lost: list[str] = []
    for measurement, first in sorted(firsts.items()):
        gone = Interval(first, edge)
        held = (yield from _archived(wanted.name, measurement, gone, ledger_bucket)) if has_ledger else []
        left = subtract([gone], held)
        if not left:
            continue
        readers = [
            spec
            for spec in pipelines.values()
            if (spec.source_bucket, spec.measurement) == (wanted.name, measurement)
        ]
        if not readers:
            lost += [f"measurement {measurement!r} of {one}: neither rolled up nor archived" for one in left]
        for spec in readers:
            lost += yield from _not_rolled_up(spec, gone, now)
    if lost:
        before = length_text(found.retention_seconds)
        more = f"; and {len(lost) - MAX_NAMED} more" if len(lost) > MAX_NAMED else ""
        what = (
            f"bucket {wanted.name!r} keeps its points {'for ' if found.retention_seconds else ''}{before}; a retention of "
            f"{wanted.retention} would take points before {edge:%Y-%m-%dT%H:%M:%SZ} of which nothing was made: "
            f"{'; '.join(lost[:MAX_NAMED])}{more}"
        )
        fix = "roll these windows up or archive them first, or delete the points"
        raise ConfigurationError(what, written="nothing", fix=fix)


def _archived(bucket: str, measurement: str, gone: Interval, ledger_bucket: str) -> Steps[list[Interval]]:
    name = f"{bucket}/{measurement}->archive"
    # a window that begins earlier may hold the first points
    windows = yield from ask(CoveredWindows(ledger_bucket, name, ARCHIVE, Interval(EVER.start, gone.stop)))
    return [one.window for one in windows if one.state is State.COMMITTED]


def _not_rolled_up(spec: RollupSpec, gone: Interval, now: datetime) -> Steps[list[str]]:
    grid = spec.grid.grid()
    span = Interval(grid.floor(gone.start), grid.ceil(gone.stop))
    seen = yield from coverage(spec, span, now)
    left: Sequence[Interval] = [
        one.window
        for one in seen.windows
        if one.state is not WindowState.COMMITTED and one.window.start < gone.stop
    ]
    if not left:
        return []
    return [f"{len(left)} windows of pipeline {spec.pipeline_name!r} from {left[0]} on are not COMMITTED"]
