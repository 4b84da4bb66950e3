"""Target values that the source no longer explains, and how they go.

Upserts never delete, and InfluxDB cannot delete one field of a point. So a point that holds a ghost is deleted by its
tags and exact time, and what is right of it, or belongs to other pipelines, is written again. A run that dies in
between leaves the window WRITING; its rerun writes the rest, with what was put aside for other pipelines.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from airflow_provider_influx_rollup.aggregates.frame import Frame, TagSet, frames_from_tables
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.delete_predicate import delete_predicate
from airflow_provider_influx_rollup.flux.target_read import target_query
from airflow_provider_influx_rollup.lifecycle.job import INSTANT, Job
from airflow_provider_influx_rollup.lifecycle.steps import Delete, QueryArrow, Report, Steps
from airflow_provider_influx_rollup.lifecycle.survivors import (
    Points,
    forget,
    points_of,
    put_aside,
    several_values,
)
from airflow_provider_influx_rollup.lifecycle.target_rows import Key
from airflow_provider_influx_rollup.lifecycle.target_write import write_of_points
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant


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
    frames = frames_from_tables((yield QueryArrow(everything)))
    survivors = _survivors(points_of(frames), doomed)
    foreign = _foreign(job, survivors)
    _require_one_value(job, window, foreign, frames)
    if foreign:
        yield from put_aside(job, window, foreign)
    for tags in sorted(doomed):
        yield Delete(spec.target_bucket, instant, delete_predicate(spec.output_measurement, dict(tags)))
    if any(survivors.values()):
        yield write_of_points(spec.target_bucket, spec.output_measurement, survivors)
    if foreign:
        yield from forget(job, window)


def _survivors(points: Points, doomed: dict[TagSet, frozenset[str]]) -> Points:
    """The values that a delete by tags takes along although they are right."""
    wanted = [frozenset(tags) for tags in doomed]
    hit = {key: values for key, values in points.items() if any(w <= frozenset(key[0]) for w in wanted)}
    return {
        key: {name: value for name, value in values.items() if name not in doomed.get(key[0], ())}
        for key, values in hit.items()
    }


def _require_one_value(job: Job, window: Interval, foreign: Points, frames: Iterable[Frame]) -> None:
    """Refuse to delete values of others that are there twice, under two series keys: one alone can be written again.

    :raises ConfigurationError: before anything is deleted
    """
    for key, name in several_values(frames):
        if name in foreign.get(key, ()):
            series = ", ".join(f"{tag}={value}" for tag, value in key[0]) or "no tags"
            spec = job.spec
            what = (
                f"bucket {spec.target_bucket!r}, measurement {spec.output_measurement!r} holds {name!r} of {series} at "
                f"{format_instant(window.start)} under two series keys, with two values, and not from this pipeline; "
                "to remove what is wrong beside it would lose one of them"
            )
            fix = "delete that point by its tags and time, write the right value again, then run this again"
            raise ConfigurationError(what, window=window, fix=fix)


def _foreign(job: Job, points: Points) -> Points:
    """The values that a rerun of this pipeline would not write."""
    left = {
        key: {name: value for name, value in values.items() if not job.ownership.mine.covers(name, key[0])}
        for key, values in points.items()
    }
    return {key: values for key, values in left.items() if values}
