"""Spec and result of a compaction, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.hashing import combine_checksums
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.archive_files.archived_measurement import ArchivedMeasurement
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import Published
from airflow_provider_influx_rollup.lifecycle.run.held_window import HeldWindow
from airflow_provider_influx_rollup.windows.delayed import delayed
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.local_time import shift


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactSpec(ArchivedMeasurement):
    """The archive of a measurement, and which larger windows are made of it.

    :param into: length of a large window, a Flux duration
    :param offset: shift of the large windows, a Flux duration
    :param timezone: IANA zone in which large days, weeks, months and years begin
    :param min_age: how long ago a large window must have ended, a Flux duration
    :param delay: how long after their end windows are compacted, a Flux duration; whole days and months follow the zone
    :param remove_small: remove files whose points the large windows hold, where the bucket has them no more
    :raises InvalidDuration: when a length cannot be read
    """

    into: str
    offset: str = "0s"
    timezone: str = "UTC"
    min_age: str = "1d"
    remove_small: bool = False
    delay: str = "0s"

    def __post_init__(self) -> None:
        ArchivedMeasurement.__post_init__(self)
        for length in (self.min_age, self.delay):
            Duration.of(length, allow_zero=True)

    @property
    def grid(self) -> Grid:
        """The large windows."""
        return Grid.of(self.into, self.offset, self.timezone)

    @property
    def pipeline(self) -> str:
        """Its name in the result."""
        return self.name or f"{self.bucket}/{self.measurement}->compact"

    def windows(self, interval: Interval) -> list[Interval]:
        """The large windows whose end + ``delay`` lies in an interval: each is in exactly one of a row of intervals.

        :param interval: any
        """
        grid, delay = self.grid, Duration.of(self.delay, allow_zero=True)
        if not delay.is_zero:
            return delayed(grid, interval, delay, self.timezone)
        found = []
        window = grid.window_at(interval.start)
        while window.stop <= interval.stop:
            found.append(window)
            window = grid.window_at(window.stop)
        return found

    def is_due(self, window: Interval, now: datetime) -> bool:
        """Whether a large window is old enough."""
        return now >= shift(window.stop, Duration.of(self.min_age, allow_zero=True), self.timezone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """Result of one large window.

    :param published: its newest generation; None in a dry run that finds none
    :param small: how many archived windows it stands for
    :param removed: of how many of them the files were removed by this run
    :param is_new: whether this run made the generation, or would
    :param planned_rows: points that it would hold, by the manifests of the small windows; only in a dry run
    """

    window: Interval
    published: Published | None
    small: int
    removed: int
    is_new: bool
    planned_rows: int | None = None

    @property
    def rows(self) -> int:
        """Points of the large window."""
        if self.planned_rows is not None:
            return self.planned_rows
        return self.published.manifest.content.total.rows if self.published is not None else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactResult:
    """Results of a run's large windows.

    :param waiting: large windows that are too young
    """

    spec: CompactSpec
    interval: Interval
    compacted: tuple[Compacted, ...]
    waiting: tuple[Interval, ...]
    dry_run: bool
    seconds: float

    def held(self) -> list[HeldWindow]:
        """What the large windows hold."""
        published = [
            (one.window, one.published.manifest) for one in self.compacted if one.published is not None
        ]
        return [
            HeldWindow(
                window=window,
                rows_out=manifest.content.total.rows,
                checksum=manifest.content.total.hash,
                generation=manifest.generation,
            )
            for window, manifest in published
        ]

    def as_json(self) -> dict[str, Any]:
        """Small JSON for XCom."""
        manifests = [one.published.manifest for one in self.compacted if one.published is not None]
        return {
            "window": self.interval.as_json(),
            "windows": len(self.compacted),
            "small_windows": sum(one.small for one in self.compacted),
            "waiting": len(self.waiting),
            "rows_out": sum(one.rows for one in self.compacted),
            "bytes": sum(manifest.size_bytes for manifest in manifests),
            "checksum": combine_checksums(manifest.content.total.hash for manifest in manifests),
            "generation": max((manifest.generation for manifest in manifests), default=0),
            "new": sum(1 for one in self.compacted if one.is_new),
            "removed": sum(one.removed for one in self.compacted),
            "state": State.PLANNED.value if self.dry_run else State.COMMITTED.value,
            "path": f"{self.spec.shown_path}/{self.spec.folder}",
            "dry_run": self.dry_run,
            "seconds": round(self.seconds, 3),
            "pipeline": self.spec.pipeline,
        }
