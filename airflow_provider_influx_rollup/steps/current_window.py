"""The window that a verb works on, for whoever drives it: its steps and queries are told apart by it in traces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

Result = TypeVar("Result")

_window: ContextVar[Interval | None] = ContextVar("influx_rollup_window", default=None)


def current_window() -> Interval | None:
    """The window, or the neighbouring windows as one interval; None between two of them."""
    return _window.get()


@contextmanager
def working_on(window: Interval | None) -> Iterator[None]:
    """In here a verb works on a window, or on neighbouring ones.

    :param window: half-open; None for a verb that begins, and has come to no window
    """
    before = _window.get()
    _window.set(window)
    try:
        yield
    finally:
        # a verb may be closed in another context than it ran in, where a token would be refused
        _window.set(before)


def within(window: Interval, steps: Steps[Result]) -> Steps[Result]:
    """Take steps that are about a window.

    :param steps: what they return is returned
    """
    with working_on(window):
        return (yield from steps)
