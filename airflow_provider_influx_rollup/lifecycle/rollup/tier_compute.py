"""Compute a block of windows of a tier from the rows of the tier below."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

import numpy as np

from airflow_provider_influx_rollup.aggregates.doubled import Doubled, repeated_times
from airflow_provider_influx_rollup.aggregates.frame import (
    Frame,
    frames_by_field,
)
from airflow_provider_influx_rollup.aggregates.hierarchy import PART_FUNCTIONS, Way, find_merge, part_of
from airflow_provider_influx_rollup.aggregates.selection import Column
from airflow_provider_influx_rollup.aggregates.tier_merge import (
    count_rows,
    derive,
    merge_children,
    merge_part,
    without_partial,
)
from airflow_provider_influx_rollup.aggregates.wide_sums import may_overflow
from airflow_provider_influx_rollup.aggregates.windowed import Block, WindowBounds, concat_blocks, finite
from airflow_provider_influx_rollup.exceptions import ReceiptMissing
from airflow_provider_influx_rollup.flux.chains import RollupChains
from airflow_provider_influx_rollup.flux.rollup import Chain, extreme_chains
from airflow_provider_influx_rollup.flux.source_read import RawPoints
from airflow_provider_influx_rollup.lifecycle.rollup.block_groups import groups_of_block
from airflow_provider_influx_rollup.lifecycle.rollup.chains import scripts_of
from airflow_provider_influx_rollup.lifecycle.source.raw_read import read_raw_points
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock, weighed_points
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant, from_ns
from airflow_provider_influx_rollup.windows.runs import cut_blocks

MAX_CHAINS_PER_QUERY = 100


@dataclass(slots=True)
class Merged:
    """Totals of the rows of the tier below, by field of that tier.

    :param parts: each part merged over the windows
    :param counts: how many rows each series and window has
    :param blocks: columns that are merged from the rows one by one, by column name
    """

    parts: dict[str, list[Block]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, list[Block]] = field(default_factory=lambda: defaultdict(list))
    blocks: dict[str, list[Block]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, results: Iterable[Merged]) -> Merged:
        """All of several results."""
        whole = cls()
        for one in results:
            for mine, other in (
                (whole.parts, one.parts), (whole.counts, one.counts), (whole.blocks, one.blocks)
            ):  # fmt: skip
                for name, blocks in other.items():
                    mine[name] += blocks
        return whole

    def without(self, sources: Collection[str]) -> Merged:
        """All but some fields of the tier below."""
        return Merged(
            defaultdict(list, {name: blocks for name, blocks in self.parts.items() if name not in sources}),
            defaultdict(list, {name: blocks for name, blocks in self.counts.items() if name not in sources}),
            self.blocks,
        )


def compute_tier(job: RollupBlock, totals: Mapping[str, int]) -> Steps[Merged]:
    """Merge the tier below into the windows of a block, and write nothing.

    A field goes one way as a whole, so that all its columns come from the same rows.

    :param totals: how many rows each field of the tier below has, so that reads can be bounded
    :return: every column in ``blocks``
    """
    merged = Merged()
    in_worker = {c.field for c in job.columns if find_merge(c.aggregate.name).way is Way.CHILDREN}
    by_influx = [column for column in job.columns if column.field not in in_worker]
    if by_influx:
        merged, apart = yield from _merge_in_influx(job, by_influx)
        apart |= {s for s, some in merged.counts.items() if Doubled.of(some, len(job.windows)) is not None}
        in_worker |= {column.field for column in by_influx if apart.intersection(column.sources)}
    by_worker = [column for column in job.columns if column.field in in_worker]
    if by_worker:
        by_rows = yield from _merge_in_worker(job, by_worker, totals)
        merged = Merged.of([merged.without(_sources(by_worker)), by_rows])
    parts = {source: concat_blocks(blocks) for source, blocks in merged.parts.items()}
    rows = {source: concat_blocks(blocks) for source, blocks in merged.counts.items()}
    bounds = WindowBounds.of(job.windows)
    for column in job.columns:
        if find_merge(column.aggregate.name).way is not Way.CHILDREN and all(
            s in parts for s in column.sources
        ):
            merged.blocks[column.name] = [_column(column, parts, rows, bounds)]
        elif (
            column.aggregate.name == "increase"
            and column.field_type == "float"
            and column.name in merged.blocks
        ):
            grown, started, _ = column.sources
            # one that was too large for the tier below is not nothing
            whole = concat_blocks(merged.blocks[column.name])
            merged.blocks[column.name] = [without_partial(whole, rows[grown], rows[started])]
    return merged


def tier_scripts(job: RollupBlock) -> list[RollupChains]:
    """Queries of the fields merged by InfluxDB, for a dry run."""
    in_worker = {c.field for c in job.columns if find_merge(c.aggregate.name).way is Way.CHILDREN}
    return _scripts(job, [c for c in job.columns if c.field not in in_worker])


def _column(
    column: Column, parts: Mapping[str, Block], rows: Mapping[str, Block], bounds: WindowBounds
) -> Block:
    if find_merge(column.aggregate.name).way is Way.MERGED:
        block = derive(column, parts, bounds)
    else:
        block = replace(parts[column.sources[0]], column=column.name)
    total, count = (f"{column.field}_{part}" for part in ("sum", "count"))
    # a sum that was too large for the tier below is no part of this one
    if total in column.sources and count in rows and parts[total].values.dtype.kind == "f":
        block = without_partial(block, rows[total], rows[count])
    return finite(block)


def _sources(columns: Iterable[Column]) -> dict[str, str]:
    """The fields that columns are merged from, and which part each is."""
    return {source: part_of(column, source) for column in columns for source in column.sources}


def _merge_in_influx(job: RollupBlock, columns: Sequence[Column]) -> Steps[tuple[Merged, set[str]]]:
    """Two pushed-down chains for each part: the part itself, and how many rows there are.

    :return: the results, and the sums whose integers may be too large for the server
    """
    merged = Merged()
    starts = WindowBounds.of(job.windows).starts
    extremes: dict[str, list[Any]] = defaultdict(list)
    for script in _scripts(job, columns):
        for chain, frame in (yield from _answers(job, script)):
            if chain.is_extreme:
                extremes[chain.field] += frame.values.tolist()
                continue
            window = np.searchsorted(starts, frame.time_ns)
            block = Block(
                column=chain.field,
                tag_sets=frame.tag_sets,
                series=frame.series,
                window=window,
                values=frame.values,
            )
            kept = merged.counts if chain.flux_function == "count" else merged.parts
            kept[chain.field].append(block)
    return merged, {
        source
        for source, values in extremes.items()
        if isinstance(values[0], int)
        and may_overflow(min(values), max(values), max(int(b.values.max()) for b in merged.counts[source]))
    }


def _answers(job: RollupBlock, script: RollupChains) -> Steps[list[tuple[Chain, Frame]]]:
    """What a query finds; of a single window with too many series for one query in groups of series."""
    parts = yield from groups_of_block(job, lambda source: ask(replace(script, source=source)))
    return [found for part in parts for found in part]


def _scripts(job: RollupBlock, columns: Sequence[Column]) -> list[RollupChains]:
    # no part is merged by count, which tells the two chains of a part apart
    chains = [
        Chain(field=source, flux_function=function, is_pushed=True, column=source, is_written=False)
        for source, part in _sources(columns).items()
        for function in (PART_FUNCTIONS[part], "count")
    ]
    # the type of a column is that of its first part, a count for means
    telling = [column for column in columns if column.aggregate.name not in ("count", "mean")]
    floats = {f"{column.field}_sum" for column in telling if column.field_type == "float"}
    chains += extreme_chains(
        source for source, part in _sources(columns).items() if part == "sum" and source not in floats
    )
    return scripts_of(job, chains)


def _merge_in_worker(job: RollupBlock, columns: Sequence[Column], totals: Mapping[str, int]) -> Steps[Merged]:
    """One bounded read of the tier's rows after another, each of whole windows."""
    sources = _sources(columns)
    names = ", ".join(column.name for column in columns)
    yield from ask(
        Report(f"Merging {names} in the worker from the rows of the tier below in {job.read_interval}")
    )
    rows = weighed_points(columns, totals)
    reads = min(len(job.windows), max(1, ceil(rows / job.spec.max_rows_per_read)))
    results: list[Merged] = []
    first_window = 0
    for windows in cut_blocks(job.windows, ceil(len(job.windows) / reads)):
        interval = Interval.spanning(windows)
        frames = frames_by_field((yield from read_raw_points(RawPoints(job.source, interval, sources))))
        _require_one_row(job, frames)
        results.append(_merge_rows(columns, frames, WindowBounds.of(windows), first_window))
        first_window += len(windows)
    return Merged.of(results)


def _require_one_row(job: RollupBlock, frames: Mapping[str, Frame]) -> None:
    """Refuse to choose among rows of the tier below: one was not written by it.

    :raises ReceiptMissing: naming a series and time that have two
    """
    for name, rows in frames.items():
        found = repeated_times(rows)
        if found is not None:
            series = ", ".join(f"{key}={value}" for key, value in found[0]) or "no tags"
            instant = from_ns(found[1])
            what = (
                f"pipeline {job.tier_below!r} has two rows with {name!r} of {series} at {format_instant(instant)}, under two "
                "series keys: another writer has put one beside its own"
            )
            fix = f"reconcile pipeline {job.tier_below!r}, or run its windows again, and then this window"
            raise ReceiptMissing(what, window=job.span, written="nothing", fix=fix)


def _merge_rows(
    columns: Sequence[Column], frames: Mapping[str, Frame], bounds: WindowBounds, first_window: int
) -> Merged:
    merged = Merged()
    stored = {c.sources[0] for c in columns if find_merge(c.aggregate.name).way is Way.PART}
    for source, part in _sources(columns).items():
        if source in frames:
            counts = count_rows(source, frames[source], bounds)
            merged.counts[source].append(counts.moved(first_window))
            if part in PART_FUNCTIONS:
                whole = merge_part(source, part, frames[source], bounds, is_stored=source in stored)
                merged.parts[source].append(whole.moved(first_window))
    for column in columns:
        if find_merge(column.aggregate.name).way is Way.CHILDREN and column.sources[0] in frames:
            block = merge_children(column, frames, bounds)
            merged.blocks[column.name].append(block.moved(first_window))
    return merged
