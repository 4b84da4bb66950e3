"""Runs of equal windows: what one query with one window length can compute."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# 64 bits of nanoseconds
EARLIEST_NS = -(2**63)


@dataclass(frozen=True, slots=True)
class EqualRun:
    """Adjacent windows of one length.

    Flux anchors windows at the epoch, so ``aggregateWindow(every: <every_ns>ns, offset: <offset_ns>ns)`` over
    the interval makes exactly these windows, in any zone, and is pushed down.

    :param interval: from the first window's start to the last one's stop
    :param every_ns: length of each window
    :param offset_ns: start of the windows after the epoch, 0 or more and less than every_ns; less than 0 only within a
        window of the earliest time there is
    :param windows: the windows in order, at least one
    """

    interval: Interval
    every_ns: int
    offset_ns: int
    windows: tuple[Interval, ...]


def equal_runs(windows: Iterable[Interval]) -> list[EqualRun]:
    """Group consecutive adjacent windows of equal length.

    :param windows: in order; neighbours that leave a gap, overlap or differ in length start a new run
    """
    numbered = _number_runs(windows)
    return [_run(tuple(w for _, w in members)) for _, members in groupby(numbered, key=lambda pair: pair[0])]


def _number_runs(windows: Iterable[Interval]) -> Iterator[tuple[int, Interval]]:
    number, previous = 0, None
    for window in windows:
        is_next = previous is None or (previous.stop == window.start and previous.duration == window.duration)
        number += not is_next
        yield number, window
        previous = window


def _run(windows: tuple[Interval, ...]) -> EqualRun:
    first = windows[0]
    every_ns = first.stop_ns - first.start_ns
    offset_ns = first.start_ns % every_ns
    if first.start_ns - offset_ns < EARLIEST_NS:
        # InfluxDB takes the offset from each time, which would come out after 2262; this way costs the pushdown
        offset_ns -= every_ns
    return EqualRun(Interval(first.start, windows[-1].stop), every_ns, offset_ns, windows)
