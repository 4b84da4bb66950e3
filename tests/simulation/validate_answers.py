"""What the server answers to the queries of validations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.flux.validate import (
    CellCounts,
    CopyCounts,
    FieldExtremes,
    FieldLook,
    LastPoints,
    RecordedRules,
    SeriesLooks,
    TotalLooks,
)
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.simulation.frames import frames
from tests.simulation.influx import SimulatedInflux, nanoseconds
from tests.simulation.lines import Value
from tests.simulation.points import Point, points_of, span_of


def _series_looks(influx: SimulatedInflux, query: SeriesLooks) -> list[Frame]:
    found: list[Frame] = []
    for what, part, name in query.looks:
        found += frames(LOOKS[what](part, list(points_of(influx, query.source, *span_of(part)))), name)
    return found


def _counted(part: Interval, series: Iterable[Any]) -> list[Point]:
    return [(tags, name, nanoseconds(part.start), len(times)) for tags, name, times, _ in series]


def _last(_part: Interval, series: Iterable[Any]) -> list[Point]:
    return [(tags, name, times[-1], values[times[-1]]) for tags, name, times, values in series]


def _typed(_part: Interval, series: Iterable[Any]) -> list[Point]:
    firsts: dict[str, Point] = {}
    for tags, name, times, values in series:
        if name not in firsts or times[0] < firsts[name][2]:
            firsts[name] = tags, name, times[0], values[times[0]]
    return list(firsts.values())


LOOKS: dict[str, Callable[[Interval, list[Any]], list[Point]]] = {
    "count": _counted,
    "last": _last,
    "types": _typed,
}


def _total_looks(influx: SimulatedInflux, query: TotalLooks) -> list[FieldLook]:
    found = []
    for _, part, label in query.looks:
        totals: dict[str, int] = {}
        for _, name, times, _ in points_of(influx, query.source, *span_of(part)):
            totals[name] = totals.get(name, 0) + len(times)
        found += [FieldLook(label, name, points) for name, points in totals.items()]
    return found


def _extremes(influx: SimulatedInflux, query: FieldExtremes) -> list[Frame]:
    found: list[Frame] = []
    for number, (part, fields) in enumerate(query.fields_by_part.items()):
        points: dict[str, list[Point]] = {}
        for tags, name, times, values in points_of(influx, query.source, *span_of(part), fields):
            points.setdefault(name, []).extend((tags, name, time, values[time]) for time in times)
        for label, choose in (("min", min), ("max", max)):
            chosen = [choose(some, key=_value) for some in points.values()]
            found += frames(chosen, f"{label}:{number}")
    return found


def _value(point: Point) -> Value:
    value: Value = point[3]
    return value


def _last_points(influx: SimulatedInflux, query: LastPoints) -> list[Frame]:
    return frames(
        (tags, name, time, values[time])
        for tags, name, times, values in points_of(
            influx, query.source, *span_of(query.interval), query.fields
        )
        for time in times[-query.points :]
    )


def _cells(influx: SimulatedInflux, query: CellCounts) -> list[int]:
    return [
        sum(len(times) for _, _, times, _ in points_of(influx, query.source, *span_of(cell), query.fields))
        for cell in query.cells
    ]


def _copies(influx: SimulatedInflux, query: CopyCounts) -> dict[str, int]:
    counts: dict[str, int] = {}
    for tags, _, times, _ in points_of(influx, query.copies, *span_of(query.interval)):
        rule = dict(tags)[query.rule_tag]
        counts[rule] = counts.get(rule, 0) + len(times)
    return counts


def _recorded(influx: SimulatedInflux, query: RecordedRules) -> set[str]:
    start, stop = span_of(query.at)
    return {
        dict(tags)["rule"]
        for tags, time, values in influx.bucket(query.ledger_bucket).pivoted("validation_results")
        if start <= time < stop and "violations" in values and query.tags.items() <= dict(tags).items()
    }


VALIDATE_ANSWERS: dict[type[Any], Callable[[SimulatedInflux, Any], Any]] = {
    SeriesLooks: _series_looks,
    TotalLooks: _total_looks,
    FieldExtremes: _extremes,
    LastPoints: _last_points,
    CellCounts: _cells,
    CopyCounts: _copies,
    RecordedRules: _recorded,
}
