"""Compute a block of windows: in InfluxDB, or in the worker from raw points or from parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil

import numpy as np

from airflow_provider_influx_rollup.aggregates.compute import EXACT_INTEGERS
from airflow_provider_influx_rollup.aggregates.doubled import Doubled, added_up, repeated_times
from airflow_provider_influx_rollup.aggregates.frame import (
    Frame,
    concat_frames,
)
from airflow_provider_influx_rollup.aggregates.selection import Column
from airflow_provider_influx_rollup.aggregates.wide_sums import may_overflow
from airflow_provider_influx_rollup.aggregates.windowed import (
    ORDER_DECIDES,
    Block,
    WindowBounds,
    aggregate_points,
    finite,
    merge_parts,
    parts_of,
)
from airflow_provider_influx_rollup.flux.chains import PartialAggregates
from airflow_provider_influx_rollup.flux.rollup import (
    Chain,
    extreme_chains,
)
from airflow_provider_influx_rollup.flux.source_read import RawPoints
from airflow_provider_influx_rollup.lifecycle.rollup.chains import (
    COUNT,
    EXTREMES,
    is_watched,
    rollup_scripts,
    scripts_of,
)
from airflow_provider_influx_rollup.lifecycle.rollup.native import NativeWay, fields_in_parts
from airflow_provider_influx_rollup.lifecycle.rollup.tier_compute import compute_tier
from airflow_provider_influx_rollup.lifecycle.source.raw_read import read_raw_points
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock, tags_of_few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.runs import stretches

# of the worker's memory, while the quantiles of one window of 20 million points are computed
BYTES_PER_POINT = 125


@dataclass(slots=True)
class Computed:
    """Input and result of computing a block of windows.

    :param blocks: what is right for the target, by column name
    :param counts: points of each series and window, by field
    :param points_read: how many source points the columns stand for, by field
    :param extremes: the smallest and largest values of integer fields, to know whether their sums can be right
    """

    blocks: dict[str, list[Block]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, list[Block]] = field(default_factory=lambda: defaultdict(list))
    points_read: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    extremes: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def too_large(self) -> dict[str, set[int]]:
        """The windows in which a column lacks a value, as no float is as large."""
        found = {
            name: {int(window) for block in blocks for window in block.too_large}
            for name, blocks in self.blocks.items()
        }
        return {name: windows for name, windows in found.items() if windows}

    def of_large(self, name: str, columns: Sequence[Column]) -> bool:
        """Whether what InfluxDB computed of a field may be cut off to 64 bits, or is no finite float."""
        values = self.extremes.get(name, [])
        is_deviation = any(column.aggregate.name == "stddev" for column in columns)
        # the server takes the deviation of floats, which have fewer digits
        if is_deviation and values and max(map(abs, values)) >= EXACT_INTEGERS:
            return True
        counts = [int(block.values.max()) for block in self.counts[name] if len(block.values)]
        if values and counts and may_overflow(min(values), max(values), max(counts)):
            return True
        return any(len(block.too_large) for column in columns for block in self.blocks[column.name])

    def forget(self, name: str, columns: Sequence[Column]) -> int:
        """Take a field's results out.

        :return: how many points they stood for
        """
        for column in columns:
            self.blocks.pop(column.name, None)
        self.counts.pop(name, None)
        return self.points_read.pop(name, 0)


def compute_windows(
    job: RollupBlock,
    totals: Mapping[str, int],
    *,
    leave_out: Collection[str] = (),
    way: NativeWay | None = None,
) -> Steps[Computed]:
    """Compute every column of a block and write nothing.

    :param totals: how many points each field has, so that reads can be bounded
    :param leave_out: fields that InfluxDB could compute, which are not wanted now
    :param way: lets tasks of InfluxDB compute; None asks by queries
    """
    if job.spec.source_tier is not None:
        merged = yield from compute_tier(job, totals)
        points = {name: sum(int(b.values.sum()) for b in some) for name, some in merged.counts.items()}
        return Computed(merged.blocks, merged.counts, defaultdict(int, points))
    computed = Computed()
    in_influx, from_raw, from_parts = job.fields_by_way()
    if from_raw:
        yield from _compute_from_raw(job, from_raw, totals, computed)
    if from_parts:
        yield from _compute_from_parts(job, from_parts, computed)
    pushed = [name for name in in_influx if name not in leave_out]
    for some in [pushed] if way is None else fields_in_parts(job, pushed):
        for script in rollup_scripts(job, some):
            add_answer(job, computed, (yield from (ask if way is None else way.answer)(script)))
    yield from join_doubled(job, computed, pushed)
    yield from compute_large_again(job, [*pushed, *from_parts], computed)
    return computed


def fields_in_reach(job: RollupBlock, fields: Sequence[str]) -> Steps[list[str]]:
    """Those of some fields whose integer sums InfluxDB computes right; it cuts the others off to 64 bits."""
    chains = extreme_chains(name for name in fields if is_watched(job, name))
    if not chains:
        return list(fields)
    counters = [
        Chain(
            field=name,
            flux_function=COUNT.flux,
            is_pushed=True,
            column=f"{name}_{COUNT.name}",
            is_written=False,
        )
        for name in dict.fromkeys(chain.field for chain in chains)
    ]
    looked = Computed()
    for script in scripts_of(job, [*chains, *counters]):
        add_answer(job, looked, (yield from ask(script)))
    for name, counts in list(looked.counts.items()):
        looked.counts[name] = list(added_up(counts, len(job.windows)))
    return [name for name in fields if not looked.of_large(name, job.columns_of(name))]


def compute_large_again(job: RollupBlock, fields: Sequence[str], computed: Computed) -> Steps[list[str]]:
    """Compute in the worker what InfluxDB may have cut off.

    :return: the fields
    """
    large = [name for name in fields if computed.of_large(name, job.columns_of(name))]
    if large:
        totals = {name: computed.forget(name, job.columns_of(name)) for name in large}
        yield from _compute_from_raw(job, large, totals, computed)
    return large


def add_answer(job: RollupBlock, computed: Computed, answer: Iterable[tuple[Chain, Frame]]) -> None:
    """Take what a query of ``rollup_scripts`` returned."""
    for chain, frame in answer:
        _add_column(job, computed, chain, frame)


def _add_column(job: RollupBlock, computed: Computed, chain: Chain, frame: Frame) -> None:
    if chain.is_extreme:
        computed.extremes[chain.field] += frame.values.tolist()
        return
    window = np.searchsorted(WindowBounds.of(job.windows).starts, frame.time_ns)
    # the server returns the standard deviation of one point as NaN, and does not write it
    block = finite(
        Block(
            column=chain.column,
            tag_sets=frame.tag_sets,
            series=frame.series,
            window=window,
            values=frame.values,
        )
    )
    if chain.flux_function in EXTREMES and is_watched(job, chain.field):
        computed.extremes[chain.field] += [int(frame.values.min()), int(frame.values.max())]
    if any(column.name == chain.column for column in job.columns_of(chain.field)):
        computed.blocks[chain.column].append(block)
    if chain.column == f"{chain.field}_{COUNT.name}":
        computed.counts[chain.field].append(block)
        computed.points_read[chain.field] += int(frame.values.sum())


def join_doubled(
    job: RollupBlock, computed: Computed, fields: Sequence[str]
) -> Steps[dict[str, list[Block]]]:
    """Compute again, from all their points, the series and windows that an answer has more than once.

    :param fields: that InfluxDB has computed, series key by series key
    :return: what was computed again, by column name; it is in ``computed``
    """
    again: dict[str, list[Block]] = defaultdict(list)
    for name in fields:
        doubled = Doubled.of(computed.counts[name], len(job.windows))
        if doubled is None:
            continue
        yield from ask(
            Report(
                f"{job.spec.source_bucket} holds {len(doubled.tag_sets)} series of {name!r} under several series keys, as to() "
                "makes them of unsorted tags: their points are read together"
            )
        )
        for column in job.columns_of(name):
            computed.blocks[column.name] = doubled.without(computed.blocks[column.name])
        apart, computed.counts[name] = computed.counts[name], doubled.without(computed.counts[name])
        computed.points_read[name] -= _sum(doubled.only(apart))
        for windows in stretches(job.windows, [job.windows[index] for index in doubled.windows]):
            part = _part_of(job, name, windows, doubled)
            first = job.windows.index(windows[0])
            most = _points_of(apart, part.spec.tags, range(first, first + len(windows)))
            joined = yield from _compute_joined(part, name, most)
            for column_name, blocks in joined.blocks.items():
                # the tag filter may have let series pass that have one key only: theirs are right, to the last bit
                again[column_name] += doubled.only(block.moved(first) for block in blocks)
            counts = doubled.only(block.moved(first) for block in joined.counts[name])
            computed.counts[name] += counts
            computed.points_read[name] += _sum(counts)
    for column_name, blocks in again.items():
        computed.blocks[column_name] += blocks
    return again


def _part_of(job: RollupBlock, name: str, windows: tuple[Interval, ...], doubled: Doubled) -> RollupBlock:
    """One field of few series in some windows; series that are not doubled may be among them."""
    spec = replace(job.spec, tags={**job.spec.tags, **tags_of_few(doubled.tag_sets)})
    return replace(job, spec=spec, windows=windows, cells=windows, columns=job.columns_of(name))


def _points_of(counts: Iterable[Block], tags: Mapping[str, Collection[str]], windows: range) -> int:
    """Points, in some windows, of the series that a tag filter keeps."""
    points = 0
    for block in counts:
        fits = [all(dict(s).get(key, "") in some for key, some in tags.items()) for s in block.tag_sets]
        is_inside = (block.window >= windows.start) & (block.window < windows.stop)
        points += int(block.values[np.array(fits, bool)[block.series] & is_inside].sum())
    return points


def _compute_joined(job: RollupBlock, name: str, most_points: int) -> Steps[Computed]:
    """Compute a field where it may be computed, with the series keys of one tag set together.

    :param most_points: how many points there are at most, so that reads can be bounded
    """
    computed = Computed()
    if job.spec.compute != "server":
        yield from _compute_from_raw(job, [name], {name: most_points}, computed)
        return computed
    for windows in _bounded_reads(job, most_points):
        some = replace(job, windows=windows, cells=windows)
        found = Computed()
        for script in rollup_scripts(some, [name], is_joined=True):
            add_answer(some, found, (yield from ask(script)))
        first = job.windows.index(windows[0])
        for column_name, blocks in found.blocks.items():
            computed.blocks[column_name] += [block.moved(first) for block in blocks]
        computed.counts[name] += [block.moved(first) for block in found.counts[name]]
    return computed


def _sum(blocks: Iterable[Block]) -> int:
    return sum(int(block.values.sum()) for block in blocks)


def _compute_from_raw(
    job: RollupBlock, fields: Sequence[str], totals: Mapping[str, int], computed: Computed
) -> Steps[None]:
    """One bounded read after another, each of whole windows, for all aggregates of these fields at once."""
    names = ", ".join(c.name for field_name in fields for c in job.columns_of(field_name))
    yield from ask(Report(f"Computing {names} in the worker from the raw points of {job.read_interval}"))
    rows = sum(totals.get(name, 0) for name in fields)
    reads = _bounded_reads(job, rows)
    largest = rows // len(reads)
    if largest > job.spec.max_rows_per_read:
        text = f"some {largest:,} points, more than max_rows_per_read={job.spec.max_rows_per_read:,}"
        memory = max(1, largest * BYTES_PER_POINT // 1_000_000)
        yield from ask(
            Report(f"One read of {job.span} brings {text}, and needs some {memory:,} MB", level="warning")
        )
    for windows in reads:
        interval = Interval(min(w.start for w in windows), windows[-1].stop)
        frames = yield from read_raw_points(RawPoints(job.source, interval, fields))
        bounds = WindowBounds.of(windows)
        first_window = job.windows.index(windows[0])
        for name, points in _points_by_field(frames):
            _add_raw(job, computed, name, points, bounds, first_window)


def _points_by_field(frames: Sequence[Frame]) -> list[tuple[str, Frame]]:
    """The points of each field; they may come in several answers, and go together."""
    by_field: dict[str, list[Frame]] = defaultdict(list)
    for frame in frames:
        for name in frame.fields:
            by_field[name].append(frame.of_field(name))
    return [(name, concat_frames(parts)) for name, parts in by_field.items()]


def _bounded_reads(job: RollupBlock, rows: int) -> list[tuple[Interval, ...]]:
    """The windows in parts of at most ``max_rows_per_read`` points each; sliding windows share their points."""
    if job.spec.grid.period is not None:
        return [job.windows]
    parts = min(len(job.windows), max(1, ceil(rows / job.spec.max_rows_per_read)))
    size = ceil(len(job.windows) / parts)
    return [job.windows[start : start + size] for start in range(0, len(job.windows), size)]


def _add_raw(
    job: RollupBlock, computed: Computed, name: str, points: Frame, bounds: WindowBounds, first_window: int
) -> None:
    computed.points_read[name] += len(points)
    counter = Column(field=name, field_type="integer", aggregate=COUNT)
    blocks = aggregate_points(points, bounds, [*job.columns_of(name), counter], job.spec.group_by)
    moved = [block.moved(first_window) for block in blocks]
    for block in moved[:-1]:
        computed.blocks[block.column].append(block)
    computed.counts[name] += moved[-1:]


def _compute_from_parts(job: RollupBlock, fields: Sequence[str], computed: Computed) -> Steps[None]:
    """Read partial aggregates per series and cell, pushed down, and merge them over cells and series."""
    bounds, group_by = WindowBounds.of(job.windows), job.spec.group_by
    for name in fields:
        columns = job.columns_of(name)
        watched = EXTREMES if is_watched(job, name) else frozenset()
        parts = yield from _read_parts(job, name, sorted({*parts_of(columns), *watched}))
        computed.points_read[name] = sum(int(frame.values.sum()) for frame in parts.get("count", []))
        for frame in (frame for part in watched for frame in parts.get(part, [])):
            computed.extremes[name] += [int(frame.values.min()), int(frame.values.max())]
        counter = Column(field=name, field_type="integer", aggregate=COUNT)
        computed.counts[name] += merge_parts({"count": parts["count"]}, bounds, [counter], group_by)
        if computed.of_large(name, ()):
            continue  # parts may be cut off: the points themselves are read
        for block in merge_parts(parts, bounds, columns, group_by):
            computed.blocks[block.column].append(block)


def _read_parts(job: RollupBlock, name: str, names: Sequence[str]) -> Steps[dict[str, list[Frame]]]:
    merges_series = job.spec.group_by is not None
    query = PartialAggregates(
        source=job.source, runs=job.runs, names=names, field=name, keeps_times=merges_series
    )
    parts = yield from ask(query)
    ordered = [part for part in names if part in ORDER_DECIDES]
    if ordered and not merges_series and "count" in parts:
        counts = concat_frames(parts["count"])
        if repeated_times(counts) is not None:
            # two series keys of one tag set: the times of the points decide between them
            parts |= yield from ask(replace(query, names=ordered, keeps_times=True))
    return parts
