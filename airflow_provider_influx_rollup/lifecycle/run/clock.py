"""Wait out the lateness of a window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from airflow_provider_influx_rollup.exceptions import WindowNotDue
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report, Sleep
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant
from airflow_provider_influx_rollup.windows.lateness import due_at

Clock = Callable[[], datetime]


def wait_until_due(windows: Sequence[Interval], lateness: str, now: datetime) -> Steps[None]:
    """Wait out the lateness of the last window.

    :raises WindowNotDue: when a window has not even ended
    """
    due = due_at(windows[-1], Duration.of(lateness, allow_zero=True))
    if now < windows[-1].stop:
        what = f"the window ends in the future; it is due at {format_instant(due)}"
        raise WindowNotDue(
            what, window=windows[-1], written="nothing", fix="run it after that, or run an earlier interval"
        )
    if now < due:
        yield from ask(Report(f"Waiting for late data until {format_instant(due)} (lateness {lateness})"))
        yield from ask(Sleep((due - now).total_seconds()))
