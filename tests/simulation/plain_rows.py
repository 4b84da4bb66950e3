"""What the rows of a rollup must be, in plain Python over the raw points."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Tags = tuple[tuple[str, str], ...]
Source = Mapping[tuple[Tags, int], float]
Rows = dict[tuple[Tags, str, int], Any]

AGGREGATES: dict[str, Callable[[Sequence[float]], Any]] = {
    "count": len,
    "sum": lambda values: float(sum(values)),
    "min": min,
    "max": max,
    "mean": lambda values: sum(values) / len(values),
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
    "median": statistics.median,
}


def rows_of(
    points: Source,
    windows: Iterable[tuple[int, int]],
    aggregates: Sequence[str],
    group_by: Sequence[str] | None,
) -> Rows:
    """Rows by tags, field and start.

    :param points: value by tags and time, of one field, ``temp``
    :param windows: start and stop in nanoseconds
    """
    rows: Rows = {}
    for start, stop in windows:
        groups: dict[Tags, list[tuple[int, float]]] = {}
        for (tags, time), value in points.items():
            if start <= time < stop:
                kept = tags if group_by is None else tuple(tag for tag in tags if tag[0] in group_by)
                groups.setdefault(kept, []).append((time, value))
        for tags, found in groups.items():
            values = [value for _, value in sorted(found)]
            for name in aggregates:
                rows[tags, f"temp_{name}", start] = AGGREGATES[name](values)
    return rows


def sums_of(points: Source, start: int, stop: int) -> dict[tuple[Tags, int], float]:
    """The sum of each series in a window, by tags and the window's start."""
    sums: dict[tuple[Tags, int], float] = {}
    for (tags, time), value in points.items():
        if start <= time < stop:
            sums[tags, start] = sums.get((tags, start), 0.0) + value
    return sums
