"""Compute a block of windows: in InfluxDB, or in the worker from raw points or from parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from math import ceil

import numpy as np

from airflow_provider_influx_rollup.aggregates.doubled import Doubled, added_up, repeated_times
from airflow_provider_influx_rollup.aggregates.frame import (
    Codes,
    Frame,
    concat_frames,
    frames_by_field,
)
from airflow_provider_influx_rollup.aggregates.selection import Column
from airflow_provider_influx_rollup.aggregates.windowed import (
    ORDER_DECIDES,
    Block,
    WindowBounds,
    aggregate_points,
    finite,
    merge_parts,
    parts_of,
)
from airflow_provider_influx_rollup.flux.chains import PartialAggregates, RollupChains
from airflow_provider_influx_rollup.flux.rollup import (
    Chain,
    RollupSource,
    extreme_chains,
)
from airflow_provider_influx_rollup.flux.source_read import RawPoints
from airflow_provider_influx_rollup.lifecycle.rollup.block_groups import groups_of_block
from airflow_provider_influx_rollup.lifecycle.rollup.chains import (
    COUNT,
    EXTREMES,
    is_watched,
    rollup_scripts,
    scripts_of,
)
from airflow_provider_influx_rollup.lifecycle.rollup.computed import Computed
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
    parts: list[Computed] = []
    in_influx, from_raw, from_parts = job.fields_by_way()
    if from_raw:
        parts.append((yield from _compute_from_raw(job, from_raw, totals)))
    if from_parts:
        parts.append((yield from _compute_from_parts(job, from_parts)))
    pushed = [name for name in in_influx if name not in leave_out]
    for some in [pushed] if way is None else fields_in_parts(job, pushed):
        for script in rollup_scripts(job, some):
            found = yield from computed_by(job, script, way)
            parts.append(found)
    computed, _joined = yield from join_doubled(job, Computed.of(parts), pushed)
    computed, _large = yield from compute_large_again(job, [*pushed, *from_parts], computed)
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
    parts = []
    for script in scripts_of(job, [*chains, *counters]):
        found = yield from computed_by(job, script)
        parts.append(found)
    looked = Computed.of(parts)
    for name, counts in list(looked.counts.items()):
        looked.counts[name] = list(added_up(counts, len(job.windows)))
    return [name for name in fields if not looked.of_large(name, job.columns_of(name))]


def compute_large_again(
    job: RollupBlock, fields: Sequence[str], computed: Computed
) -> Steps[tuple[Computed, list[str]]]:
    """Compute in the worker what InfluxDB may have cut off.

    :return: all results, and the fields that were computed again
    """
    large = [name for name in fields if computed.of_large(name, job.columns_of(name))]
    if not large:
        return computed, large
    totals = {name: computed.points_read[name] for name in large}
    again = yield from _compute_from_raw(job, large, totals)
    return Computed.of([computed.without(large, _names(job, large)), again]), large


def _names(job: RollupBlock, fields: Iterable[str]) -> list[str]:
    return [column.name for field_name in fields for column in job.columns_of(field_name)]


def computed_by(job: RollupBlock, script: RollupChains, way: NativeWay | None = None) -> Steps[Computed]:
    """What a script computes; of a single window with too many series for one query in groups of series.

    :param way: lets tasks of InfluxDB compute; None asks by queries
    """

    def look(source: RollupSource) -> Steps[Computed]:
        answer = yield from (ask if way is None else way.answer)(replace(script, source=source))
        return _computed_of(job, answer)

    return Computed.of((yield from groups_of_block(job, look)))


def _computed_of(job: RollupBlock, answer: Iterable[tuple[Chain, Frame]]) -> Computed:
    """What a query of ``rollup_scripts`` returned."""
    computed = Computed()
    starts = WindowBounds.of(job.windows).starts
    for chain, frame in answer:
        if chain.is_extreme:
            computed.extremes[chain.field] += frame.values.tolist()
            continue
        block = _block_of(starts, chain, frame)
        if chain.flux_function in EXTREMES and is_watched(job, chain.field):
            computed.extremes[chain.field] += [int(frame.values.min()), int(frame.values.max())]
        if any(column.name == chain.column for column in job.columns_of(chain.field)):
            computed.blocks[chain.column].append(block)
        if chain.column == f"{chain.field}_{COUNT.name}":
            computed.counts[chain.field].append(block)
            computed.points_read[chain.field] += int(frame.values.sum())
    return computed


def _block_of(starts: Codes, chain: Chain, frame: Frame) -> Block:
    window = np.searchsorted(starts, frame.time_ns)
    # the server returns the standard deviation of one point as NaN, and does not write it
    return finite(
        Block(
            column=chain.column,
            tag_sets=frame.tag_sets,
            series=frame.series,
            window=window,
            values=frame.values,
        )
    )


def join_doubled(
    job: RollupBlock, computed: Computed, fields: Sequence[str]
) -> Steps[tuple[Computed, dict[str, list[Block]]]]:
    """Compute again, from all their points, the series and windows that an answer has more than once.

    :param fields: that InfluxDB has computed, series key by series key
    :return: all results, and what was computed again, by column name
    """
    again: list[Computed] = []
    whole = computed
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
        columns = _names(job, [name])
        single = computed.of_fields([name], columns).chosen(doubled.without)
        whole = Computed.of([whole.without([name], columns), single])
        for windows in stretches(job.windows, [job.windows[index] for index in doubled.windows]):
            part = _part_of(job, name, windows, doubled)
            first = job.windows.index(windows[0])
            most = _points_of(computed.counts[name], part.spec.tags, range(first, first + len(windows)))
            joined = yield from _compute_joined(part, name, most)
            # the tag filter may have let series pass that have one key only: theirs are right, to the last bit
            again.append(joined.moved(first).chosen(doubled.only))
    return Computed.of([whole, *again]), dict(Computed.of(again).blocks)


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
    if job.spec.compute != "server":
        return (yield from _compute_from_raw(job, [name], {name: most_points}))
    parts = []
    for windows in _bounded_reads(job, most_points):
        some = replace(job, windows=windows, cells=windows)
        for script in rollup_scripts(some, [name], is_joined=True):
            found = yield from computed_by(some, script)
            parts.append(found.moved(job.windows.index(windows[0])))
    return Computed.of(parts)


def _compute_from_raw(job: RollupBlock, fields: Sequence[str], totals: Mapping[str, int]) -> Steps[Computed]:
    """One bounded read after another, each of whole windows, for all aggregates of these fields at once."""
    names = ", ".join(_names(job, fields))
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
    parts = []
    for windows in reads:
        interval = Interval(min(w.start for w in windows), windows[-1].stop)
        frames = yield from read_raw_points(RawPoints(job.source, interval, fields))
        bounds = WindowBounds.of(windows)
        first_window = job.windows.index(windows[0])
        parts += [
            _computed_of_points(job, name, points, bounds).moved(first_window)
            for name, points in frames_by_field(frames).items()
        ]
    return Computed.of(parts)


def _bounded_reads(job: RollupBlock, rows: int) -> list[tuple[Interval, ...]]:
    """The windows in parts of at most ``max_rows_per_read`` points each; sliding windows share their points."""
    if job.spec.grid.period is not None:
        return [job.windows]
    parts = min(len(job.windows), max(1, ceil(rows / job.spec.max_rows_per_read)))
    size = ceil(len(job.windows) / parts)
    return [job.windows[start : start + size] for start in range(0, len(job.windows), size)]


def _computed_of_points(job: RollupBlock, name: str, points: Frame, bounds: WindowBounds) -> Computed:
    counter = Column(field=name, field_type="integer", aggregate=COUNT)
    made = aggregate_points(points, bounds, [*job.columns_of(name), counter], job.spec.group_by)
    read = defaultdict(int, {name: len(points)})
    if not made:
        # all of them lie between windows that are no neighbours
        return Computed(points_read=read)
    *blocks, counts = made
    return Computed(
        defaultdict(list, {block.column: [block] for block in blocks}),
        defaultdict(list, {name: [counts]}),
        read,
    )


def _compute_from_parts(job: RollupBlock, fields: Sequence[str]) -> Steps[Computed]:
    """Read partial aggregates per series and cell, pushed down, and merge them over cells and series."""
    computed = Computed()
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
    return computed


def _read_parts(job: RollupBlock, name: str, names: Sequence[str]) -> Steps[dict[str, list[Frame]]]:
    merges_series = job.spec.group_by is not None
    query = PartialAggregates(
        source=job.source, runs=job.runs, names=names, field=name, keeps_times=merges_series
    )
    parts = yield from _parts_of(job, query)
    ordered = [part for part in names if part in ORDER_DECIDES]
    if ordered and not merges_series and "count" in parts:
        counts = concat_frames(parts["count"])
        if repeated_times(counts) is not None:
            # two series keys of one tag set: the times of the points decide between them
            parts |= yield from _parts_of(job, replace(query, names=ordered, keeps_times=True))
    return parts


def _parts_of(job: RollupBlock, query: PartialAggregates) -> Steps[dict[str, list[Frame]]]:
    found: dict[str, list[Frame]] = defaultdict(list)
    for parts in (yield from groups_of_block(job, lambda source: ask(replace(query, source=source)))):
        for name, frames in parts.items():
            found[name] += frames
    return found
