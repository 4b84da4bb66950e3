"""Cut a window into slices that can be read truthfully and in bounded memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_influx_rollup.exceptions import QueryLimitReached
from airflow_provider_influx_rollup.flux.archive import SliceCounts
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.flux.source_schema import TagKeys
from airflow_provider_influx_rollup.lifecycle.source.value_groups import filterable, groups_of, values_in
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Bucket, SourceKeys
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval, split_interval
from airflow_provider_influx_rollup.windows.shards import shard_parts

# every shard group begins on a full hour, whatever its length is or was
SHORTEST_SHARD_GROUP_SECONDS = 3600
SLICES_PER_QUERY = 24
OF_EVERY_SERIES = frozenset({"_start", "_stop", "_field", "_measurement"})
# the server's memory holds 16 bytes for each row and tag when the series of a field are read as one table
MAX_TAG_CELLS = 10_000_000


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a window that one query reads.

    :param rows: points that it had when it was counted
    :param by_field: whether the series of a field are read as one table
    """

    interval: Interval
    rows: int
    by_field: bool


def slice_of(interval: Interval, rows: int, tags: Collection[str]) -> Slice:
    """A slice that is read in the way that suits its size.

    :param tags: tag keys of the measurement
    """
    return Slice(interval, rows, by_field=rows * len(tags) <= MAX_TAG_CELLS)


def cut_slices(
    bucket: Bucket, measurement: str, window: Interval, keys: SourceKeys, most_rows: int
) -> Steps[list[Slice]]:
    """Cut where shard groups begin, then until no slice has too many points.

    A field may change its type where a shard group begins; a query over both returns the points of one type only. When
    one of the fields ever had two types, slices are hours at most: older groups may have had another length.

    :param most_rows: the server gathers the rows of one slice in its memory, about 28 bytes for each
    """
    waiting = shard_parts(window, _shard_seconds(bucket, keys))
    done: list[Slice] = []
    while waiting:
        counts = yield from count_points(bucket.name, measurement, waiting)
        again: list[Interval] = []
        for part in waiting:
            pieces = -(-counts[part] // most_rows)
            if pieces > 1 and part.duration > MICROSECOND:
                again += split_interval(part, pieces)
            else:
                done.append(slice_of(part, counts[part], keys.tags))
        waiting = again
    return sorted(done, key=lambda one: one.interval)


def count_windows(
    bucket: Bucket, measurement: str, windows: Sequence[Interval], keys: SourceKeys
) -> Steps[Mapping[Interval, int]]:
    """Present points of each window.

    :param keys: of the measurement
    """
    seconds = _shard_seconds(bucket, keys)
    parts = {window: shard_parts(window, seconds) for window in windows}
    counts = yield from count_points(
        bucket.name, measurement, [part for some in parts.values() for part in some]
    )
    return {window: sum(counts[part] for part in some) for window, some in parts.items()}


def _shard_seconds(bucket: Bucket, keys: SourceKeys) -> int:
    """Length of time that one query may read."""
    has_types = any(len(kinds) > 1 for kinds in keys.fields.values())
    return (
        SHORTEST_SHARD_GROUP_SECONDS
        if has_types
        else bucket.shard_group_seconds or SHORTEST_SHARD_GROUP_SECONDS
    )


def count_points(bucket: str, measurement: str, parts: Sequence[Interval]) -> Steps[Mapping[Interval, int]]:
    """Present points of each part.

    :param parts: each inside one shard group
    """
    counts = yield from count_each(RollupSource(bucket, measurement, {}), parts)
    return dict(zip(parts, counts, strict=True))


def count_each(source: RollupSource, parts: Sequence[Interval]) -> Steps[list[int]]:
    """Present points of some series in each part.

    :param parts: each inside one shard group
    """
    counts: list[int] = []
    for first in range(0, len(parts), SLICES_PER_QUERY):
        counts += yield from _count_some(source, parts[first : first + SLICES_PER_QUERY])
    return counts


def _count_some(source: RollupSource, parts: Sequence[Interval]) -> Steps[list[int]]:
    """Count in one query, or in several where it has too many series for the memory that the server gives it."""
    try:
        return (yield from ask(SliceCounts(source, parts)))
    except QueryLimitReached as error:
        if len(parts) == 1:
            return [(yield from _count_by_series(source, parts[0], error))]
    counts: list[int] = []
    for part in parts:
        counts += yield from _count_some(source, [part])
    return counts


def _count_by_series(source: RollupSource, part: Interval, error: QueryLimitReached) -> Steps[int]:
    keys = set((yield from ask(TagKeys(source, part)))) - OF_EVERY_SERIES - source.tags.keys()
    for key in filterable(sorted(keys)):
        values = yield from values_in(source, part, key)
        if len(values) < 2:
            continue
        count = 0
        for some in groups_of(values):
            chosen = RollupSource(source.bucket, source.measurement, {**source.tags, key: some})
            count += sum((yield from _count_some(chosen, [part])))
        return count
    raise error
