"""The time at which a window's data is expected to be complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_influx_rollup.windows.duration import Duration
    from airflow_provider_influx_rollup.windows.interval import Interval


def due_at(window: Interval, lateness: Duration) -> datetime:
    """Return the instant from which a window may be computed, in UTC.

    :param window: the window
    :param lateness: how long after its stop its data may still come; zero or a fixed length
    :raises InvalidDuration: when the lateness is in months
    """
    return window.stop + lateness.timedelta


def is_due(window: Interval, lateness: Duration, now: datetime) -> bool:
    """Whether a window's stop + lateness has passed.

    :param now: an aware time
    """
    return due_at(window, lateness) <= now
