"""Whether windows are archived, by counting: what a dry run tells, and what is looked at before retention deletes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.archive.paths import window_folder
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import Published, newest_generation
from airflow_provider_influx_rollup.lifecycle.archive_files.place import located
from airflow_provider_influx_rollup.lifecycle.archive_files.purge_state import read_purge
from airflow_provider_influx_rollup.lifecycle.source.buckets import require_bucket
from airflow_provider_influx_rollup.lifecycle.source.whole_read import (
    plan_read,
    require_known,
)
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Bucket, Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True)
class ArchiveState:
    """A window, counted.

    :param rows: points in the bucket
    :param newest: the newest generation, if there is one
    :param is_purged: whether the archive stands for points that the bucket has no more
    """

    window: Interval
    rows: int
    newest: Published | None
    is_purged: bool

    @property
    def is_archived(self) -> bool:
        """Whether the newest generation was made of as many points as the bucket holds; an empty window needs none."""
        if self.newest is None:
            return self.rows == 0
        return self.rows == self.newest.manifest.source.total.rows or (self.is_purged and self.rows == 0)


def archive_state(spec: ArchiveSpec, window: Interval, bucket: Bucket) -> Steps[ArchiveState]:
    """Count the points of a window and read its newest manifest.

    :param bucket: the spec's
    :raises SourceUnreadable: when the points could not be archived
    :raises ConfigurationError: when neither the bucket nor the archive knows the measurement
    """
    folder = window_folder(spec.folder, window)
    newest = yield from newest_generation(folder)
    is_purged = newest is not None and (yield from read_purge(folder)) is not None
    plan = yield from plan_read(spec, window, bucket)
    if newest is None:
        yield from require_known(spec, window, plan.keys)
    return ArchiveState(window, plan.rows, newest, is_purged)


@dataclass(frozen=True, slots=True)
class ArchivePlan:
    """Plan of an archive.

    :param spec: whose bucket was looked up
    :param states: one of each window, in order
    """

    spec: ArchiveSpec
    states: Sequence[ArchiveState]

    def as_json(self) -> dict[str, Any]:
        """The return value of the stage."""
        return {
            "window": Interval.spanning([state.window for state in self.states]).as_json(),
            "windows": len(self.states),
            "rows_in": sum(state.rows for state in self.states),
            "due": sum(1 for state in self.states if not state.is_archived),
            "state": "PLANNED",
            "path": f"{self.spec.shown_path}/{self.spec.folder}",
            "pipeline": self.spec.pipeline,
            "dry_run": True,
        }


def plan_archive(spec: ArchiveSpec, windows: Sequence[Interval]) -> Steps[ArchivePlan]:
    """Tell what an archive would do, by counting; write nothing.

    :param windows: at least one, in ascending order
    """
    bucket = yield from require_bucket(spec.bucket, windows[0])
    spec = yield from located(spec)
    states = []
    for window in windows:
        state = yield from archive_state(spec, window, bucket)
        states.append(state)
        number = state.newest.manifest.generation if state.newest else 0
        what = "as many as in it" if state.is_archived else "it would be archived"
        yield from ask(Report(f"Window {window}: {state.rows:,} points, generation {number}: {what}"))
    return ArchivePlan(spec, states)
