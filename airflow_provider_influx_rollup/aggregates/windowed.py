"""From points to one value per series, window and column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_influx_rollup.aggregates.catalog import find_aggregate
from airflow_provider_influx_rollup.aggregates.compute import Groups, compute
from airflow_provider_influx_rollup.aggregates.frame import Codes, Frame, TagSet, concat_frames
from airflow_provider_influx_rollup.aggregates.selection import Column
from airflow_provider_influx_rollup.exceptions import AggregateOverflow
from airflow_provider_influx_rollup.windows.interval import Interval, from_ns

if TYPE_CHECKING:
    from numpy.typing import NDArray

# what a column is merged from; every other mergeable aggregate is its own part
PARTS = {"mean": ("sum", "count")}
# how parts merge, where it is not by the aggregate itself
MERGED_BY = {"count": "sum"}
ORDER_DECIDES = frozenset({"first", "last"})


def no_windows() -> Codes:
    """An empty list of windows."""
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class WindowBounds:
    """Start and stop of each window in nanoseconds since the epoch, both in ascending order."""

    starts: Codes
    stops: Codes

    @classmethod
    def of(cls, windows: Sequence[Interval]) -> WindowBounds:
        """The bounds of some windows."""
        starts = np.array([window.start_ns for window in windows], np.int64)
        return cls(starts, np.array([window.stop_ns for window in windows], np.int64))

    def spread(self, time_ns: Codes) -> tuple[Codes, Codes]:
        """``(position, window)`` of every point in every window that holds it."""
        first = np.searchsorted(self.stops, time_ns, side="right")
        after = np.searchsorted(self.starts, time_ns, side="right")
        counts = np.maximum(after - first, 0)
        position = np.repeat(np.arange(len(time_ns)), counts)
        within = np.arange(len(position)) - np.repeat(np.cumsum(counts) - counts, counts)
        return position, first[position] + within


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One column: a value for each series and window that has one.

    :param series: index into ``tag_sets``
    :param window: index of the window
    :param too_large: the windows in which a series has none, as no float is as large
    """

    column: str
    tag_sets: list[TagSet]
    series: Codes
    window: Codes
    values: NDArray[Any]
    too_large: Codes = field(default_factory=no_windows)

    def moved(self, windows: int) -> Block:
        """The same, a number of windows later."""
        return replace(self, window=self.window + windows, too_large=self.too_large + windows)


def aggregate_points(
    points: Frame, bounds: WindowBounds, columns: Sequence[Column], group_by: Sequence[str] | None = None
) -> list[Block]:
    """Compute the columns of one field from its raw points.

    :param points: the points of one field; with ``group_by`` all that a read has of it
    :param group_by: tag keys that stay; None keeps the series apart
    """
    position, window = bounds.spread(points.time_ns)
    if not len(position):
        return []
    tag_sets, series = _project(points, group_by)
    keys = series[position] * len(bounds.starts) + window
    order = _order(keys, points.time_ns[position], points.values, position)
    if order is not None:
        position, keys = position[order], keys[order]
    groups, group_keys = _groups(points, position, keys)
    count = len(bounds.starts)
    blocks = []
    for column in columns:
        with naming(column.name, group_keys, bounds):
            values = compute(column.aggregate, groups)
        blocks.append(finite(_block(column.name, tag_sets, group_keys, count, values)))
    return blocks


@contextmanager
def naming(column: str, keys: Codes, bounds: WindowBounds | None) -> Iterator[None]:
    """Let an error of a group name the column and the window.

    :param keys: of the groups: series and window
    """
    try:
        yield
    except AggregateOverflow as error:
        if bounds is not None:
            window = int(keys[error.group]) % len(bounds.starts)
            start, stop = int(bounds.starts[window]), int(bounds.stops[window])
            error.window = Interval(from_ns(start), from_ns(stop))
        error.what = f"{column} of a series {error.what.removeprefix('the result ')}"
        error.fix = "leave this aggregate of the field out: give aggregates by field, such as {'v': ['count', 'mean']}"
        raise


def _order(keys: Codes, time_ns: Codes, values: NDArray[Any], position: Codes) -> Codes | None:
    """The order by key and time; None when points lie so, as they come when the server's order of series is ours."""
    if _is_ascending(keys, time_ns):
        return None
    order = np.lexsort((time_ns, keys))
    if _is_ascending(keys[order], time_ns[order]):
        return order
    # merged series, and a tag set under two series keys, may have points of one time: their values order them alike
    return np.lexsort((_rank(values)[position], time_ns, keys))


def _is_ascending(keys: Codes, time_ns: Codes) -> bool:
    """Whether points lie by key and time, no two alike."""
    step = np.diff(keys)
    return bool(np.all((step > 0) | ((step == 0) & (np.diff(time_ns) > 0))))


def merge_parts(
    parts: dict[str, list[Frame]],
    bounds: WindowBounds,
    columns: Sequence[Column],
    group_by: Sequence[str] | None,
) -> list[Block]:
    """Merge the partial aggregates of one field over cells (sliding windows) and over series (``group_by``).

    :param parts: frames per partial aggregate, with the cell's start in ``start_ns``
    :param group_by: tag keys that stay; None keeps the series apart
    """
    merged = {
        name: _merge_part(name, concat_frames(frames), bounds, group_by)
        for name, frames in parts.items()
        if frames
    }
    blocks = []
    for column in columns:
        name = column.aggregate.name
        if name in merged:
            blocks.append(finite(replace(merged[name], column=column.name)))
        elif all(part in merged for part in PARTS.get(name, (name,))):
            total, count = merged["sum"], merged["count"]
            with np.errstate(over="ignore", invalid="ignore"):
                mean = total.values / count.values
            blocks.append(
                finite(
                    Block(
                        column=column.name,
                        tag_sets=total.tag_sets,
                        series=total.series,
                        window=total.window,
                        values=mean,
                    )
                )
            )
    return blocks


def parts_of(columns: Sequence[Column]) -> list[str]:
    """The partial aggregates that columns are merged from; always with the count."""
    names = {
        part for column in columns for part in PARTS.get(column.aggregate.name, (column.aggregate.name,))
    }
    return sorted(names | {"count"})


def _merge_part(name: str, frame: Frame, bounds: WindowBounds, group_by: Sequence[str] | None) -> Block:
    tag_sets, series = _project(frame, group_by)
    cell_starts = frame.start_ns if frame.start_ns is not None else frame.time_ns
    position, window = bounds.spread(cell_starts)
    keys = series[position] * len(bounds.starts) + window
    # a fixed order makes the float sums, and ties between series, the same in every run
    within: tuple[NDArray[Any], ...] = (frame.series[position], cell_starts[position])
    if name in ORDER_DECIDES:
        within = (_rank(frame.values)[position], frame.time_ns[position])
    order = np.lexsort((*within, keys))
    groups, group_keys = _groups(frame, position[order], keys[order])
    with naming(f"{frame.fields[0]}_{name}", group_keys, bounds):
        values = compute(find_aggregate(MERGED_BY.get(name, name)), groups)
    return _block(name, tag_sets, group_keys, len(bounds.starts), values)


def concat_blocks(blocks: Sequence[Block]) -> Block:
    """One block of several of one column.

    :param blocks: at least one
    """
    if len(blocks) == 1:
        return blocks[0]
    ranks: dict[TagSet, int] = {}
    series = [
        np.array([ranks.setdefault(tags, len(ranks)) for tags in block.tag_sets], np.int64)[block.series]
        for block in blocks
    ]
    return Block(
        column=blocks[0].column,
        tag_sets=list(ranks),
        series=np.concatenate(series),
        window=np.concatenate([block.window for block in blocks]),
        values=np.concatenate([block.values for block in blocks]),
        too_large=np.concatenate([block.too_large for block in blocks]),
    )


def _project(frame: Frame, group_by: Sequence[str] | None) -> tuple[list[TagSet], Codes]:
    """Tag sets that keep only the keys of ``group_by``, and their codes."""
    if group_by is None:
        return frame.tag_sets, frame.series
    kept = frozenset(group_by)
    projected = [tuple(pair for pair in tag_set if pair[0] in kept) for tag_set in frame.tag_sets]
    distinct = sorted(set(projected))
    rank = {tag_set: position for position, tag_set in enumerate(distinct)}
    return distinct, np.array([rank[tag_set] for tag_set in projected], np.int64)[frame.series]


def _rank(values: NDArray[Any]) -> Codes:
    """Numbers in the order of the values; strings and booleans too."""
    return np.unique(values, return_inverse=True)[1].reshape(-1)


def _groups(points: Frame, taken: Codes, keys: Codes) -> tuple[Groups, Codes]:
    """Groups of equal keys (already sorted), and the key of each."""
    starts = np.flatnonzero(np.append(True, np.diff(keys) != 0)) if len(keys) else np.zeros(0, np.int64)
    return Groups(points.values[taken], points.time_ns[taken], starts), keys[starts]


def _block(
    column: str, tag_sets: list[TagSet], keys: Codes, window_count: int, values: NDArray[Any]
) -> Block:
    series, window = np.divmod(keys, window_count)
    return Block(column=column, tag_sets=tag_sets, series=series, window=window, values=values)


def finite(block: Block) -> Block:
    """Without the values that do not exist (a standard deviation of one point) or that no field can hold."""
    if block.values.dtype.kind != "f":
        return block
    exists = np.isfinite(block.values)
    if exists.all():
        return block
    too_large = np.concatenate([block.too_large, np.unique(block.window[np.isinf(block.values)])])
    return replace(
        block,
        series=block.series[exists],
        window=block.window[exists],
        values=block.values[exists],
        too_large=too_large,
    )
