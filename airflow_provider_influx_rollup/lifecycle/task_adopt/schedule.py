"""Times that a task's schedule runs it at, and the windows between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.script import TaskOption
from airflow_provider_influx_rollup.windows.cron import Cron
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval

# a run that has just begun has not written yet
RUN_TIME = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class RunWindows:
    """Windows of runs: each from the time of the run before to its own.

    :param compared: the last ones
    :param later: those after them, whose runs may have written their rows again
    """

    compared: tuple[Interval, ...]
    later: tuple[Interval, ...]


def run_windows(option: TaskOption, now: datetime, count: int, until: datetime | None) -> RunWindows:
    """Return the last windows of a task that are due, and whose runs should have ended.

    :param count: how many
    :param until: they end by then
    :raises ConfigurationError: when the task's cron is not understood
    """
    offset = (option.offset or Duration(0, 0)).timedelta
    due = now - offset - RUN_TIME
    end = due if until is None else min(until, due)
    compared = _last(option, end, count)
    if end == due:
        return RunWindows(compared, ())
    span = compared[-1].stop - compared[0].start
    later = _last(option, min(due, end + span), count)
    return RunWindows(compared, tuple(window for window in later if window.stop > compared[-1].stop))


def _last(option: TaskOption, end: datetime, count: int) -> tuple[Interval, ...]:
    times = _times(option, end)
    found: deque[datetime] = deque()
    for time in times:
        found.appendleft(time)
        if len(found) > count:
            break
    if len(found) < 2:
        what = f"the task's cron {option.cron!r} has no two times before {end.isoformat()}"
        raise ConfigurationError(what, written="nothing", fix="correct the cron, or give a later --to")
    return tuple(Interval(start, stop) for start, stop in pairwise(found))


def _times(option: TaskOption, end: datetime) -> Iterator[datetime]:
    """The times of a schedule, backwards."""
    if option.every is None:
        cron = Cron.parse(option.cron or "")
        if cron is None:
            what = (
                f"the cron {option.cron!r} is not one of five fields, with a day of the month or a weekday but not both, "
                "that InfluxDB follows as it is written"
            )
            fix = "declare its windows yourself: FluxRollupOperator runs the script in a DAG with a schedule of your own"
            raise ConfigurationError(what, written="nothing", fix=fix)
        yield from cron.backwards(end)
        return
    grid = Grid.of(option.every)
    time = grid.floor(end)
    while True:
        yield time
        time = grid.floor(time - MICROSECOND)
