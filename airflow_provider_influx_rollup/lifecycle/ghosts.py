"""Target values that the source no longer explains, and how they go.

Upserts never delete, and InfluxDB cannot delete one field of a point. So a point that holds a ghost is deleted by its
tags and exact time, and what is right of it, or belongs to other pipelines, is written again. A run that dies in
between leaves the window WRITING, and its rerun writes the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.aggregates.frame import Frame, TagSet, frames_from_tables
from airflow_provider_influx_rollup.flux.delete_predicate import delete_predicate
from airflow_provider_influx_rollup.flux.target_read import target_query
from airflow_provider_influx_rollup.ledger.line_protocol import UInt, encode_line
from airflow_provider_influx_rollup.lifecycle.job import INSTANT, Job
from airflow_provider_influx_rollup.lifecycle.steps import Delete, QueryArrow, Report, Steps, Write
from airflow_provider_influx_rollup.lifecycle.target_rows import Key
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True)
class Ghosts:
    """Values to remove.

    :param columns_by_key: the fields that are ghosts, by tag set and window
    """

    columns_by_key: dict[Key, frozenset[str]]

    @classmethod
    def of(cls, keys_by_column: Iterable[tuple[str, set[Key]]]) -> Ghosts:
        """Turn ghosts per field into ghosts per point."""
        columns: dict[Key, set[str]] = defaultdict(set)
        for name, keys in keys_by_column:
            for key in keys:
                columns[key].add(name)
        return cls({key: frozenset(names) for key, names in columns.items()})

    @property
    def value_count(self) -> int:
        """How many values go."""
        return sum(len(names) for names in self.columns_by_key.values())


def delete_ghosts(job: Job, ghosts: Ghosts) -> Steps[None]:
    """Delete the points that hold ghosts and write again what stays of them."""
    yield Report(
        f"Removing {ghosts.value_count} values of {len(ghosts.columns_by_key)} points "
        f"from {job.spec.target_bucket} that the source no longer has"
    )
    for window_index in sorted({window for _, window in ghosts.columns_by_key}):
        doomed = {
            tags: names for (tags, window), names in ghosts.columns_by_key.items() if window == window_index
        }
        yield from _delete_in_window(job, job.windows[window_index], doomed)


def _delete_in_window(job: Job, window: Interval, doomed: dict[TagSet, frozenset[str]]) -> Steps[None]:
    spec = job.spec
    instant = Interval(window.start, window.start + INSTANT)
    everything = target_query(
        spec.target_bucket, spec.output_measurement, instant, aggregate_names=None, tags={}
    )
    survivors = _surviving_lines(job, frames_from_tables((yield QueryArrow(everything))), doomed)
    for tags in sorted(doomed):
        yield Delete(spec.target_bucket, instant, delete_predicate(spec.output_measurement, dict(tags)))
    if survivors:
        yield Write(spec.target_bucket, survivors)


def _surviving_lines(job: Job, frames: Iterable[Frame], doomed: dict[TagSet, frozenset[str]]) -> list[str]:
    """Lines of the values that a delete by tags takes along although they are right."""
    fields: dict[tuple[TagSet, int], dict[str, Any]] = defaultdict(dict)
    doomed_sets = [(frozenset(tags), tags) for tags in doomed]
    for frame in frames:
        is_unsigned = frame.values.dtype.kind == "u"
        hit = [any(wanted <= frozenset(tag_set) for wanted, _ in doomed_sets) for tag_set in frame.tag_sets]
        for row in range(len(frame)):
            tag_set = frame.tag_sets[frame.series[row]]
            name = frame.fields[frame.field[row]]
            if not hit[frame.series[row]] or name in doomed.get(tag_set, ()):
                continue
            value = frame.values[row]
            value = value.item() if hasattr(value, "item") else value
            fields[tag_set, int(frame.time_ns[row])][name] = UInt(value) if is_unsigned else value
    measurement = job.spec.output_measurement
    return [
        encode_line(measurement, dict(tags), values, time_ns) for (tags, time_ns), values in fields.items()
    ]
