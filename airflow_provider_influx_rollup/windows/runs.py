"""Runs of neighbouring windows, and blocks of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from airflow_provider_influx_rollup.windows.interval import Interval


def stretches(windows: Sequence[Interval], wanted: Collection[Interval]) -> list[tuple[Interval, ...]]:
    """The wanted ones of some windows as runs of neighbours: a block has no gap.

    :param windows: neighbours, in ascending order
    :param wanted: some of them
    """
    chosen = frozenset(wanted)
    runs: list[list[Interval]] = [[]]
    for window in windows:
        if window in chosen:
            runs[-1].append(window)
        elif runs[-1]:
            runs.append([])
    return [tuple(run) for run in runs if run]


def blocks_of(runs: Iterable[Sequence[Interval]], most: int) -> list[tuple[Interval, ...]]:
    """Runs of neighbours in blocks of at most a number of windows."""
    return [block for run in runs for block in cut_blocks(run, most)]


def halves(windows: Sequence[Interval]) -> list[tuple[Interval, ...]]:
    """Two blocks instead of one."""
    middle = (len(windows) + 1) // 2
    return cut_blocks(windows, middle)


def cut_blocks(windows: Sequence[Interval], most: int) -> list[tuple[Interval, ...]]:
    """Windows in blocks that are written, verified and committed together."""
    return [tuple(windows[start : start + most]) for start in range(0, len(windows), most)]
