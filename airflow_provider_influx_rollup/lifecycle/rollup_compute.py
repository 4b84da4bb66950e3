"""Compute a block of windows: in InfluxDB, or in the worker from raw points or from parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from airflow_provider_influx_rollup.aggregates.catalog import Source, find_aggregate
from airflow_provider_influx_rollup.aggregates.frame import (
    Frame,
    concat_frames,
    frame_of_column,
    frames_from_tables,
    result_name,
)
from airflow_provider_influx_rollup.aggregates.selection import Column
from airflow_provider_influx_rollup.aggregates.wide_sums import may_overflow
from airflow_provider_influx_rollup.aggregates.windowed import (
    Block,
    WindowBounds,
    aggregate_points,
    finite,
    merge_parts,
    parts_of,
)
from airflow_provider_influx_rollup.flux.rollup import (
    Chain,
    chain_number,
    extreme_chains,
    render_partials,
    render_rollup,
)
from airflow_provider_influx_rollup.flux.source_read import raw_query
from airflow_provider_influx_rollup.lifecycle.job import Job
from airflow_provider_influx_rollup.lifecycle.steps import QueryArrow, Report, Steps
from airflow_provider_influx_rollup.lifecycle.tier_compute import compute_tier
from airflow_provider_influx_rollup.windows.equal_runs import EqualRun
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    import pyarrow as pa

MOST_CHAINS_PER_QUERY = 100
# of the worker's memory, while the quantiles of one window of 20 million points are computed
BYTES_PER_POINT = 125
COUNT = find_aggregate("count")
INTEGERS = frozenset({"integer", "unsigned"})
# what InfluxDB cuts off to 64 bits
SUMS = frozenset({"sum", "mean", "spread"})


@dataclass(slots=True)
class Computed:
    """What a block of windows was computed from, and what came of it.

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


@dataclass(frozen=True, slots=True)
class RollupScript:
    """One script, and the chains that its yields are numbered by."""

    flux: str
    chains: tuple[Chain, ...]


def compute_windows(
    job: Job, totals: Mapping[str, int], *, leave_out: Collection[str] = ()
) -> Steps[Computed]:
    """Compute every column of a block and write nothing.

    :param totals: how many points each field has, so that reads can be bounded
    :param leave_out: fields that InfluxDB could compute, which are not wanted now
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
    for script in rollup_scripts(job, pushed):
        add_answer(job, computed, script, (yield QueryArrow(script.flux)))
    yield from compute_large_again(job, [*pushed, *from_parts], computed)
    return computed


def fields_in_reach(job: Job, fields: Sequence[str]) -> Steps[list[str]]:
    """Those of some fields whose integer sums InfluxDB computes right; it cuts the others off to 64 bits."""
    chains = [chain for name in fields for chain in _watching(job, name)]
    if not chains:
        return list(fields)
    counters = [
        Chain(name, COUNT.flux, is_pushed=True, column=f"{name}_{COUNT.name}", is_written=False)
        for name in dict.fromkeys(chain.field for chain in chains)
    ]
    looked = Computed()
    for script in _scripts_of(job, [*chains, *counters]):
        add_answer(job, looked, script, (yield QueryArrow(script.flux)))
    return [name for name in fields if not looked.of_large(name, ())]


def compute_large_again(job: Job, fields: Sequence[str], computed: Computed) -> Steps[list[str]]:
    """Compute in the worker what InfluxDB may have cut off.

    :return: the fields
    """
    large = [name for name in fields if computed.of_large(name, job.columns_of(name))]
    if large:
        totals = {name: computed.forget(name, job.columns_of(name)) for name in large}
        yield from _compute_from_raw(job, large, totals, computed)
    return large


def _watching(job: Job, name: str) -> list[Chain]:
    """The chains that tell how large an integer field's values are, where that decides about its columns."""
    columns = job.columns_of(name)
    if all(column.field_type not in INTEGERS or column.aggregate.name not in SUMS for column in columns):
        return []
    return extreme_chains([name])


def chains_of(job: Job, name: str, *, is_written: bool = False) -> list[Chain]:
    """The chains of one field: its columns, and its count even when nobody asked to store it.

    :param is_written: whether InfluxDB writes the columns, so that nobody looks how large they are
    """
    chains = [
        Chain(name, c.aggregate.flux, is_pushed=c.aggregate.source is Source.PUSHED, column=c.name)
        for c in job.columns_of(name)
    ]
    counter = f"{name}_{COUNT.name}"
    if all(chain.column != counter for chain in chains):
        chains.append(Chain(name, COUNT.flux, is_pushed=True, column=counter, is_written=False))
    return chains + ([] if is_written else _watching(job, name))


def rollup_scripts(job: Job, fields: Sequence[str], *, is_written: bool = False) -> list[RollupScript]:
    """The scripts that compute fields in InfluxDB, each of a bounded number of chains.

    :param is_written: whether InfluxDB also writes what it computes
    """
    chains = [chain for name in fields for chain in chains_of(job, name, is_written=is_written)]
    if not is_written:
        chains = [replace(chain, is_written=False) for chain in chains]
    return _scripts_of(job, chains)


def _scripts_of(job: Job, chains: Sequence[Chain]) -> list[RollupScript]:
    most_runs = max(1, MOST_CHAINS_PER_QUERY // max(1, len(chains)))
    runs = job.runs
    scripts = []
    for first_run in range(0, len(runs), most_runs):
        for first_chain in range(0, len(chains), MOST_CHAINS_PER_QUERY):
            part = chains[first_chain : first_chain + MOST_CHAINS_PER_QUERY]
            some_runs: list[EqualRun] = runs[first_run : first_run + most_runs]
            target = job.spec.target_bucket
            flux = render_rollup(job.source, part, some_runs, target, job.spec.output_measurement)
            scripts.append(RollupScript(flux, tuple(part)))
    return scripts


def add_answer(job: Job, computed: Computed, script: RollupScript, tables: Iterable[pa.Table]) -> None:
    """Take what a script of ``rollup_scripts`` returned."""
    for table in tables:
        if table.num_rows:
            chain = script.chains[chain_number(result_name(table))]
            _add_column(job, computed, chain, frame_of_column(table, chain.value_column))


def _add_column(job: Job, computed: Computed, chain: Chain, frame: Frame) -> None:
    if chain.is_extreme:
        computed.extremes[chain.field] += frame.values.tolist()
        return
    window = np.searchsorted(window_bounds(job.windows).starts, frame.time_ns)
    # the server returns the standard deviation of one point as NaN, and does not write it
    block = finite(Block(chain.column, frame.tag_sets, frame.series, window, frame.values))
    if any(column.name == chain.column for column in job.columns_of(chain.field)):
        computed.blocks[chain.column].append(block)
    if chain.column == f"{chain.field}_{COUNT.name}":
        computed.counts[chain.field].append(block)
        computed.points_read[chain.field] += int(frame.values.sum())


def _compute_from_raw(
    job: Job, fields: Sequence[str], totals: Mapping[str, int], computed: Computed
) -> Steps[None]:
    """One bounded read after another, each of whole windows, for all aggregates of these fields at once."""
    names = ", ".join(c.name for field_name in fields for c in job.columns_of(field_name))
    yield Report(f"Computing {names} in the worker from the raw points of {job.read_interval}")
    rows = sum(totals.get(name, 0) for name in fields)
    reads = _bounded_reads(job, rows)
    largest = rows // len(reads)
    if largest > job.spec.max_rows_per_read:
        text = f"some {largest:,} points, more than max_rows_per_read={job.spec.max_rows_per_read:,}"
        memory = max(1, largest * BYTES_PER_POINT // 1_000_000)
        yield Report(f"One read of {job.span} brings {text}, and needs some {memory:,} MB", level="warning")
    for windows in reads:
        interval = Interval(min(w.start for w in windows), windows[-1].stop)
        frames = frames_from_tables((yield QueryArrow(raw_query(job.source, interval, fields))))
        bounds = window_bounds(windows)
        first_window = job.windows.index(windows[0])
        for name, points in _points_by_field(job, frames):
            _add_raw(job, computed, name, points, bounds, first_window)


def _points_by_field(job: Job, frames: Sequence[Frame]) -> list[tuple[str, Frame]]:
    """The points of each field; series that are merged may come in several answers, and go together."""
    found = [(name, frame.of_field(name)) for frame in frames for name in frame.fields]
    if job.spec.group_by is None:
        return found
    by_field: dict[str, list[Frame]] = defaultdict(list)
    for name, points in found:
        by_field[name].append(points)
    return [(name, concat_frames(parts)) for name, parts in by_field.items()]


def _bounded_reads(job: Job, rows: int) -> list[tuple[Interval, ...]]:
    """The windows in parts of at most ``max_rows_per_read`` points each; sliding windows share their points."""
    if job.spec.grid.period is not None:
        return [job.windows]
    parts = min(len(job.windows), max(1, ceil(rows / job.spec.max_rows_per_read)))
    size = ceil(len(job.windows) / parts)
    return [job.windows[start : start + size] for start in range(0, len(job.windows), size)]


def _add_raw(
    job: Job, computed: Computed, name: str, points: Frame, bounds: WindowBounds, first_window: int
) -> None:
    computed.points_read[name] += len(points)
    counter = Column(name, "integer", COUNT)
    blocks = aggregate_points(points, bounds, [*job.columns_of(name), counter], job.spec.group_by)
    moved = [block.moved(first_window) for block in blocks]
    for block in moved[:-1]:
        computed.blocks[block.column].append(block)
    computed.counts[name] += moved[-1:]


def _compute_from_parts(job: Job, fields: Sequence[str], computed: Computed) -> Steps[None]:
    """Read partial aggregates per series and cell, pushed down, and merge them over cells and series."""
    bounds, group_by = window_bounds(job.windows), job.spec.group_by
    for name in fields:
        columns = job.columns_of(name)
        watched = {chain.flux_function for chain in _watching(job, name)}
        names = sorted({*parts_of(columns), *watched})
        query = render_partials(job.source, job.runs, names, name, keeps_times=group_by is not None)
        parts: dict[str, list[Frame]] = defaultdict(list)
        for frame in frames_from_tables((yield QueryArrow(query))):
            parts[frame.result.partition(":")[0]].append(frame)
        computed.points_read[name] = sum(int(frame.values.sum()) for frame in parts.get("count", []))
        for frame in (frame for part in watched for frame in parts.get(part, [])):
            computed.extremes[name] += [int(frame.values.min()), int(frame.values.max())]
        counter = Column(name, "integer", COUNT)
        computed.counts[name] += merge_parts({"count": parts["count"]}, bounds, [counter], group_by)
        if computed.of_large(name, ()):
            continue  # parts may be cut off: the points themselves are read
        for block in merge_parts(parts, bounds, columns, group_by):
            computed.blocks[block.column].append(block)


def window_bounds(windows: Sequence[Interval]) -> WindowBounds:
    """Bounds of windows in nanoseconds."""
    starts = np.array([window.start_ns for window in windows], np.int64)
    return WindowBounds(starts, np.array([window.stop_ns for window in windows], np.int64))
