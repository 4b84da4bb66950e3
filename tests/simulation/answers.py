"""What the server answers to each query value, by what it asks for: never by its Flux, or by the code that decodes answers.

Queries of the ledger are answered by rows, as a pivot gives them, which the query reads: how states and claims are decoded
is a part of the promise. Queries of points are answered by frames that are made here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.flux.bucket_ids import BucketsNow
from airflow_provider_influx_rollup.flux.chains import PartialAggregates, RollupChains
from airflow_provider_influx_rollup.flux.column_read import RecomputedColumn, StoredColumn
from airflow_provider_influx_rollup.flux.field_names import FieldNames
from airflow_provider_influx_rollup.flux.ledger_history import CoveredWindows, WrittenSpecs
from airflow_provider_influx_rollup.flux.ledger_read import (
    ClaimsOf,
    ReceiptsOf,
    ReceiptsOfSeveral,
    ReceiptStates,
    SetAsideRecords,
    StoredSpecs,
    WritingReceipts,
)
from airflow_provider_influx_rollup.flux.measurements import MeasurementNames
from airflow_provider_influx_rollup.flux.purges import MarksBetween, MarksOfBucket, OverlappingMarks
from airflow_provider_influx_rollup.flux.query import Together
from airflow_provider_influx_rollup.flux.rollup import Chain, RollupSource
from airflow_provider_influx_rollup.flux.source_read import (
    FieldSeries,
    FieldTotals,
    FieldTypes,
    RawPoints,
    SeriesAtMost,
    WindowCounts,
)
from airflow_provider_influx_rollup.flux.source_schema import OF_EVERY_SOURCE, TagKeys
from airflow_provider_influx_rollup.flux.source_size import FieldSizes, SourceSizes, WindowPoints
from airflow_provider_influx_rollup.flux.target_read import TargetCounts, TargetTotals, TargetValues
from airflow_provider_influx_rollup.windows.equal_runs import EqualRun
from tests.simulation.archive_answers import ARCHIVE_ANSWERS
from tests.simulation.frames import frame_of, frames
from tests.simulation.influx import SECOND, SimulatedInflux
from tests.simulation.ledger_rows import Row, ledger_rows
from tests.simulation.lines import Tags, Unsigned, Value
from tests.simulation.points import Point, points_of, span_of
from tests.simulation.script_answers import SCRIPT_ANSWERS
from tests.simulation.validate_answers import VALIDATE_ANSWERS
from tests.simulation.watch_answers import WATCH_ANSWERS

FUNCTIONS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "count": len,
    "sum": sum,
    "min": min,
    "max": max,
    "mean": lambda values: sum(values) / len(values),
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
}


class NotSimulatedError(Exception):
    """The simulator does not know what the server would answer."""


def answer(influx: SimulatedInflux, query: Any) -> Any:
    """The answer of a query value."""
    known = ANSWERS.get(type(query))
    if known is None:
        message = f"{type(query).__name__} is not simulated: {query!r}"[:500]
        raise NotSimulatedError(message)
    return known(influx, query)


# points


def _flat(found: Iterable[tuple[Tags, str, list[int], dict[int, Value]]]) -> list[Point]:
    return [(tags, name, time, values[time]) for tags, name, times, values in found for time in times]


def aggregated(
    influx: SimulatedInflux,
    source: RollupSource,
    run: EqualRun,
    name: str,
    function: str,
    *,
    by_own_time: bool = False,
) -> Iterator[tuple[Tags, int, int, Value]]:
    """Tags, start, time and value of each series and window of a run.

    :param by_own_time: the time is that of the point that was chosen
    """
    if function not in FUNCTIONS:
        message = f"the function {function!r} of Flux is not simulated"
        raise NotSimulatedError(message)
    for tags, _, times, values in points_of(influx, source, *span_of(run.interval), (name,)):
        windows: dict[int, list[int]] = {}
        for time in times:
            start = time - (time - run.offset_ns) % run.every_ns
            windows.setdefault(start, []).append(time)
        for start, some in windows.items():
            chosen = some[-1] if function == "last" else some[0]
            value = FUNCTIONS[function]([values[time] for time in some])
            # the sum of unsigned integers is one, their number is a signed one
            is_unsigned = type(values[chosen]) is Unsigned and function == "sum"
            yield tags, start, chosen if by_own_time else start, Unsigned(value) if is_unsigned else value


# the source


def _field_types(influx: SimulatedInflux, query: FieldTypes) -> list[Frame]:
    found: list[Frame] = []
    for number, part in enumerate(query.parts):
        firsts: dict[str, Point] = {}
        for _, name, times, values in points_of(influx, query.source, *span_of(part)):
            if name not in firsts or times[0] < firsts[name][2]:
                firsts[name] = ((), name, times[0], values[times[0]])
        # each part has a name of its own where there are several
        found += frames(firsts.values(), str(number) if len(query.parts) > 1 else "")
    return found


def _field_totals(influx: SimulatedInflux, query: FieldTotals) -> dict[str, int]:
    totals: dict[str, int] = {}
    span = span_of(query.interval)
    for _, name, times, _ in points_of(influx, query.source, *span, query.fields):
        totals[name] = totals.get(name, 0) + len(times)
    return totals


def _series_at_most(influx: SimulatedInflux, query: SeriesAtMost) -> int:
    source = RollupSource(query.source.bucket, query.source.measurement, {})
    found = points_of(influx, source, *span_of(query.interval))
    return len({tags for tags, _, times, _ in found if times})


def _field_series(influx: SimulatedInflux, query: FieldSeries) -> dict[str, int]:
    found = points_of(influx, query.source, *span_of(query.interval), query.fields)
    return dict(Counter(name for _, name, times, _ in found if times))


def _window_counts(influx: SimulatedInflux, query: WindowCounts) -> list[Frame]:
    return [
        frame
        for run in query.runs
        for frame in frames(
            (tags, name, time, value)
            for name in query.fields
            for tags, _, time, value in aggregated(influx, query.source, run, name, "count")
        )
    ]


def _window_points(influx: SimulatedInflux, query: WindowPoints) -> list[tuple[str, datetime, int]]:
    counts: dict[tuple[str, int], int] = {}
    for run in query.runs:
        for _, name, times, _ in points_of(influx, query.source, *span_of(run.interval)):
            for time in times:
                key = name, time - (time - run.offset_ns) % run.every_ns
                counts[key] = counts.get(key, 0) + 1
    return [(name, instant(start), count) for (name, start), count in counts.items()]


def _sizes(influx: SimulatedInflux, query: SourceSizes) -> FieldSizes:
    sizes = FieldSizes({}, {})
    for interval in query.intervals:
        series: dict[str, int] = {}
        for _, name, times, _ in points_of(influx, query.source, *span_of(interval)):
            sizes.points[name] = sizes.points.get(name, 0) + len(times)
            series[name] = series.get(name, 0) + 1
        for name, count in series.items():
            sizes.series[name] = max(count, sizes.series.get(name, 0))
    return sizes


def _raw(influx: SimulatedInflux, query: RawPoints) -> list[Frame]:
    return frames(_flat(points_of(influx, query.source, *span_of(query.interval), list(query.fields))))


def _tag_keys(influx: SimulatedInflux, query: TagKeys) -> list[str]:
    # from the index, which knows in which shard group a series has points, and no more than that
    shard = influx.bucket(query.source.bucket).shard_of
    length = influx.bucket(query.source.bucket).shard_group_seconds * SECOND
    start, stop = span_of(query.interval)
    found = list(points_of(influx, query.source, shard(start) * length, (shard(stop - 1) + 1) * length))
    return sorted({*OF_EVERY_SOURCE, *(key for one in found for key, _ in one[0])})


def _measurements(influx: SimulatedInflux, query: MeasurementNames) -> list[str]:
    return sorted(influx.bucket(query.bucket).measurements)


def _field_names(influx: SimulatedInflux, query: FieldNames) -> list[str]:
    return sorted({name for _, name in influx.bucket(query.bucket).measurements.get(query.measurement, {})})


# what InfluxDB computes


def _chains(influx: SimulatedInflux, query: RollupChains) -> list[tuple[Chain, Frame]]:
    if query.may_write or any(chain.is_joined or not chain.is_pushed for chain in query.chains):
        message = "chains that InfluxDB writes, or does not push down, are not simulated"
        raise NotSimulatedError(message)
    found = []
    for run in query.runs:
        for chain in query.chains:
            rows = aggregated(influx, query.source, run, chain.field, chain.flux_function)
            points = [(tags, chain.value_column, time, value) for tags, _, time, value in rows]
            if points and chain.is_extreme:
                best = FUNCTIONS[chain.flux_function]([point[3] for point in points])
                points = [point for point in points if point[3] == best][:1]
            if points:
                found.append((chain, frame_of(type(points[0][3]), points, "")))
    return found


def _partials(influx: SimulatedInflux, query: PartialAggregates) -> dict[str, list[Frame]]:
    found: dict[str, list[Frame]] = defaultdict(list)
    for run in query.runs:
        for name in query.names:
            has_times = query.keeps_times and name in ("first", "last")
            rows = aggregated(influx, query.source, run, query.field, name, by_own_time=has_times)
            points, starts = [], {}
            for tags, start, time, value in rows:
                points.append((tags, query.field, time, value))
                starts[time] = start
            made = frames(points, name, starts if has_times else None)
            if made:
                found[name] += made
    return found


# the target


def _target_points(influx: SimulatedInflux, query: TargetValues | TargetTotals) -> list[Point]:
    source = RollupSource(query.bucket, query.measurement, query.tags)
    names = query.aggregate_names
    found = _flat(points_of(influx, source, *span_of(query.interval)))
    if names is None:
        return found
    return [point for point in found if any(point[1].endswith(f"_{name}") for name in names)]


def _target_values(influx: SimulatedInflux, query: TargetValues) -> list[Frame]:
    return frames(_target_points(influx, query))


def _target_totals(influx: SimulatedInflux, query: TargetTotals) -> TargetCounts:
    rows: dict[str, int] = {}
    for _, name, _, _ in _target_points(influx, query):
        rows[name] = rows.get(name, 0) + 1
    source = RollupSource(query.bucket, query.measurement, query.tags)
    points: dict[str, int] = {}
    for _, name, times, values in points_of(influx, source, *span_of(query.interval), query.count_fields):
        points[name] = points.get(name, 0) + sum(int(values[time]) for time in times)
    return TargetCounts(rows, points)


def _recomputed(influx: SimulatedInflux, query: RecomputedColumn) -> str:
    chain = query.chain
    return _digest(
        [
            (tags, time, value)
            for tags, _, time, value in aggregated(
                influx, query.source, run, chain.field, chain.flux_function
            )
        ]
        for run in query.runs
    )


def _stored(influx: SimulatedInflux, query: StoredColumn) -> str:
    source = RollupSource(query.bucket, query.measurement, query.tags)
    return _digest(
        [
            (tags, time, values[time])
            for tags, _, times, values in points_of(influx, source, *span_of(interval), (query.column,))
            for time in times
        ]
        for interval in query.intervals
    )


def _digest(yields: Iterable[list[tuple[Tags, int, Value]]]) -> str:
    parts = [
        f"{number} {[(tags, time, type(value).__name__, value) for tags, time, value in rows]}"
        for number, rows in enumerate(yields)
        if rows
    ]
    return "\n".join(parts)


# the ledger


def _buckets(influx: SimulatedInflux, query: BucketsNow) -> Any:
    return query.read([Row({"name": one.name, "id": one.id}) for one in influx.buckets.values()])


def _ledger(influx: SimulatedInflux, query: Any) -> Any:
    return query.read(ledger_rows(influx, query))


def instant(time_ns: int) -> datetime:
    """Cut off to microseconds, as an answer's times are."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_ns // 1000)


LEDGER_QUERIES = (
    ReceiptsOf,
    ReceiptsOfSeveral,
    ReceiptStates,
    WritingReceipts,
    ClaimsOf,
    WrittenSpecs,
    CoveredWindows,
    SetAsideRecords,
    StoredSpecs,
    OverlappingMarks,
    MarksBetween,
    MarksOfBucket,
)
ANSWERS: dict[type[Any], Callable[[SimulatedInflux, Any], Any]] = {
    FieldTypes: _field_types,
    FieldTotals: _field_totals,
    SeriesAtMost: _series_at_most,
    FieldSeries: _field_series,
    WindowCounts: _window_counts,
    WindowPoints: _window_points,
    SourceSizes: _sizes,
    RawPoints: _raw,
    TagKeys: _tag_keys,
    MeasurementNames: _measurements,
    FieldNames: _field_names,
    RollupChains: _chains,
    PartialAggregates: _partials,
    TargetValues: _target_values,
    TargetTotals: _target_totals,
    RecomputedColumn: _recomputed,
    StoredColumn: _stored,
    BucketsNow: _buckets,
    Together: lambda influx, query: tuple(answer(influx, part) for part in query.parts),
    **dict.fromkeys(LEDGER_QUERIES, _ledger),
    **ARCHIVE_ANSWERS,
    **SCRIPT_ANSWERS,
    **VALIDATE_ANSWERS,
    **WATCH_ANSWERS,
}
