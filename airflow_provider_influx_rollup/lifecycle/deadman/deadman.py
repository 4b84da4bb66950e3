"""Find silent series, and write their statuses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.flux.inventory import LastSeen
from airflow_provider_influx_rollup.flux.series import Series
from airflow_provider_influx_rollup.lifecycle.deadman.checking_task import CheckingTask
from airflow_provider_influx_rollup.lifecycle.deadman.last_statuses import read_said_before
from airflow_provider_influx_rollup.lifecycle.deadman.result import DeadmanResult, WrittenStatuses
from airflow_provider_influx_rollup.lifecycle.deadman.series_state import (
    DEAD,
    ObservedSeries,
    SeriesState,
    SeriesVerdict,
    judge,
    last_of_expected,
)
from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec, spans_of
from airflow_provider_influx_rollup.lifecycle.deadman.statuses import (
    read_newer,
    statuses_of,
    write_statuses,
)
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.source.inventory import grouping_of, series_label
from airflow_provider_influx_rollup.lifecycle.source.inventory_read import read_named
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

MAX_TOLD = 20
NO_TASK = RunInfo()


def check_deadman(spec: DeadmanSpec, interval: Interval, run: RunInfo = NO_TASK) -> Steps[DeadmanResult]:
    """Judge each expected series at the stop of an interval, and write one status for each.

    Statuses get the interval's stop as their time: a rerun overwrites its own, and an old interval never
    changes what is known of the present.

    :param interval: what is evaluated
    :param run: who checks: statuses that another task wrote under the same name stay
    :raises ConfigurationError: when the spec contradicts itself
    :raises InfluxError: when the server refuses or cannot be reached
    """
    spans = spans_of(spec, interval)
    expected = yield from read_named(spec.inventory, interval)
    keys = grouping_of(spec.group_by, expected)
    recent = yield from ask(LastSeen(spec.source, spans.recent, keys))
    earlier = yield from ask(LastSeen(spec.source, spans.earlier, keys))
    task = CheckingTask.of(run)
    before = yield from read_said_before(spec, task, interval, spans)
    newer = yield from read_newer(spec, interval)
    retired = spec.inventory.without_retired
    seen = ObservedSeries(
        last_of_expected(expected, _only(recent, retired(recent))),
        last_of_expected(expected, _only(earlier, retired(earlier))),
        before.levels,
        before.of_others,
    )
    length = interval.duration
    verdicts = judge(
        seen,
        expected=expected,
        dead_level=spec.level,
        retired_before=spans.retired_before,
        retires_from=spans.retired_before - length if spans.retired_before else None,
    )
    result = _result(spec, interval, verdicts, seen, expected, is_latest=newer is None)
    statuses = statuses_of(spec, interval, spans, verdicts, before.levels)
    yield from _report(spec, result)
    if spec.dry_run:
        return result
    written = yield from write_statuses(spec, task, interval, statuses, is_shared=before.has_others)
    return replace(result, written=written)


def _only(seen: Mapping[Series, datetime], kept: Iterable[Series]) -> dict[Series, datetime]:
    return {series: seen[series] for series in kept}


def _result(
    spec: DeadmanSpec,
    interval: Interval,
    verdicts: list[SeriesVerdict],
    seen: ObservedSeries,
    expected: tuple[Series, ...] | None,
    *,
    is_latest: bool,
) -> DeadmanResult:
    dead = [verdict for verdict in verdicts if verdict.state in DEAD]
    retired = [verdict for verdict in verdicts if verdict.state is SeriesState.RETIRED]
    return DeadmanResult(
        interval=interval,
        check=spec.check,
        expected=len(verdicts) - len(retired),
        dead=dead,
        newly_dead=[v for v in dead if seen.levels.get(v.series) != spec.level],
        came_back=[verdict for verdict in verdicts if verdict.state is SeriesState.CAME_BACK],
        retired=retired,
        unexpected=0 if expected is None else len(set(seen.recent) - set(expected)),
        is_silent=not seen.recent,
        is_latest=is_latest,
        written=WrittenStatuses(0, is_dry_run=True),
    )


def _report(spec: DeadmanSpec, result: DeadmanResult) -> Steps[None]:
    where = f"{spec.bucket}/{spec.measurement} at {format_instant(result.interval.stop)}"
    if result.state == "nothing_expected":
        yield from ask(Report(f"{where}: nothing is expected: no series was seen or listed", "warning"))
        return
    yield from ask(Report(f"{where}: {result.counts()}", "warning" if result.dead else "info"))
    for verdict in result.dead[:MAX_TOLD]:
        told = verdict.as_json()
        label = series_label(tuple(sorted(told["series"].items())))
        yield from ask(
            Report(f"{told['state']}: {label}, last seen {told['last_seen'] or 'never'}", "warning")
        )


def steps_from_job(
    job: Mapping[str, Any],
    clock: Callable[[], datetime],  # noqa: ARG001 - as all verbs; a deadman knows no present time
) -> Steps[DeadmanResult]:
    """The verb as a job of the triggerer.

    :param job: ``spec`` and ``run_info`` as JSON, and ``intervals``, exactly one
    :param clock: not used
    """
    (bounds,) = job["intervals"]
    interval = Interval(datetime.fromisoformat(bounds["start"]), datetime.fromisoformat(bounds["stop"]))
    return check_deadman(DeadmanSpec.from_json(job["spec"]), interval, RunInfo(**job["run_info"]))
