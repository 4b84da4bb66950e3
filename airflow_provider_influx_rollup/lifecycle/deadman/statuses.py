"""The statuses that a deadman check writes, and those it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from airflow_provider_influx_rollup.exceptions import WriteRejected
from airflow_provider_influx_rollup.flux.deadman import (
    LastStatuses,
    NewestStatus,
)
from airflow_provider_influx_rollup.flux.series import Series
from airflow_provider_influx_rollup.lifecycle.deadman.checking_task import CheckingTask
from airflow_provider_influx_rollup.lifecycle.deadman.result import WrittenStatuses
from airflow_provider_influx_rollup.lifecycle.deadman.series_state import DEAD, SeriesState, SeriesVerdict
from airflow_provider_influx_rollup.lifecycle.deadman.spec import RETIRED_LEVEL, DeadmanSpec, Spans
from airflow_provider_influx_rollup.lifecycle.deadman.stale_statuses import remove_stale
from airflow_provider_influx_rollup.lifecycle.run.window_errors import about_window
from airflow_provider_influx_rollup.lifecycle.source.inventory import series_label
from airflow_provider_influx_rollup.lifecycle.statuses.check_status import (
    Status,
    write_of_statuses,
)
from airflow_provider_influx_rollup.rejections import is_before_retention
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, STORABLE, Interval, format_instant

NOTHING_EXPECTED_LEVEL = "warn"
NO_SERIES: Series = ()


def statuses_of(
    spec: DeadmanSpec,
    interval: Interval,
    spans: Spans,
    verdicts: list[SeriesVerdict],
    levels: Mapping[Series, str],
) -> list[Status]:
    """One status for each verdict, and one for the whole check when nothing is expected.

    :param levels: the levels that were found before the interval's stop
    """
    statuses = [_status(spec, interval, spans, verdict) for verdict in verdicts]
    if NO_SERIES in {verdict.series for verdict in verdicts}:
        return statuses
    if not any(verdict.state is not SeriesState.RETIRED for verdict in verdicts):
        message = f"nothing is expected of {spec.bucket}/{spec.measurement}: no series was seen or listed"
        statuses.append(
            Status(
                series=NO_SERIES,
                level=NOTHING_EXPECTED_LEVEL,
                message=message,
                source_time=interval.stop,
                is_dead=False,
            )
        )
    elif levels.get(NO_SERIES) == NOTHING_EXPECTED_LEVEL:
        message = f"series of {spec.bucket}/{spec.measurement} are expected again"
        statuses.append(
            Status(
                series=NO_SERIES,
                level=spec.ok_level,
                message=message,
                source_time=interval.stop,
                is_dead=False,
            )
        )
    return statuses


def _status(spec: DeadmanSpec, interval: Interval, spans: Spans, verdict: SeriesVerdict) -> Status:
    name, seen = series_label(verdict.series), verdict.last_seen
    last = f"its last point is at {format_instant(seen)}" if seen else "no point was found"
    at = f"at {format_instant(interval.stop)}"
    texts = {
        SeriesState.ALIVE: f"{name} is alive: {last}",
        SeriesState.CAME_BACK: f"{name} came back: {last}",
        SeriesState.STOPPED: f"{name} stopped: silent for {spans.silence} or longer {at}, {last}",
        SeriesState.NEVER_STARTED: f"{name} never started: expected {at}, {last}",
        SeriesState.RETIRED: f"{name} is retired: no longer expected {at}, {last}",
    }
    level = spec.level if verdict.state in DEAD else spec.ok_level
    if verdict.state is SeriesState.RETIRED:
        level = RETIRED_LEVEL
    is_dead = verdict.state in DEAD
    # monitor.stateChanges() sorts by this time first: no point that is found later is older than what was searched
    source_time = seen or spans.earlier.start
    return Status(
        series=verdict.series,
        level=level,
        message=texts[verdict.state],
        source_time=source_time,
        is_dead=is_dead,
    )


def write_statuses(
    spec: DeadmanSpec,
    task: CheckingTask,
    interval: Interval,
    statuses: list[Status],
    *,
    is_shared: bool = False,
) -> Steps[WrittenStatuses]:
    """Write statuses at an interval's stop, and remove those of an earlier run of the same task that say otherwise.

    :param is_shared: whether another task has judged between the last run and this one
    :return: how many, and why none when the status bucket keeps no times that old; or that another task writes too
    """
    check, at = replace(spec.check, checked_by=task.number), interval.stop
    instant = Interval(at, at + MICROSECOND)
    before = yield from ask(LastStatuses(spec.status_bucket, check.id, instant))
    planned = {(status.series, status.level) for status in statuses}
    others = [one for one in before if task.is_other(one)]
    stale = [one for one in before if not task.is_other(one) and (one.series, one.level) not in planned]
    with about_window(interval, "no status"):
        write = write_of_statuses(spec.status_bucket, check, statuses, at)
    try:
        yield from ask(write)
    except WriteRejected as error:
        if not is_before_retention(error):
            raise
        note = f"bucket {spec.status_bucket!r} keeps no statuses as old as {format_instant(at)}: none written"
        yield from ask(Report(note, "warning"))
        return WrittenStatuses(0, note)
    yield from remove_stale(spec, task, instant, stale, others)
    stale_levels = {one.level for one in stale}
    again = [status for status in statuses if status.level in stale_levels]
    if again:
        # a delete takes the whole level, or more of it: tag equality also matches series with more tags
        yield from ask(write_of_statuses(spec.status_bucket, check, again, at))
    if not others and not is_shared:
        return WrittenStatuses(len(statuses))
    note = f"another task writes statuses of the check {check.name!r} too: give each a check_name of its own"
    yield from ask(Report(note, "warning"))
    return WrittenStatuses(len(statuses), note)


def read_newer(spec: DeadmanSpec, interval: Interval) -> Steps[datetime | None]:
    """The time of the check's last status after an interval; None when the interval is the latest it judged."""
    later = Interval(interval.stop + MICROSECOND, STORABLE.stop)
    return (yield from ask(NewestStatus(spec.status_bucket, spec.check.id, later)))
