"""Spec and result of an export, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.archive_files.archived_measurement import ArchivedMeasurement
from airflow_provider_influx_rollup.lifecycle.run.held_window import HeldWindow
from airflow_provider_influx_rollup.steps.table import TableAt
from airflow_provider_influx_rollup.windows.interval import Interval

FORMATS = ("delta",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSpec(ArchivedMeasurement):
    """The archive of a measurement, and the table that gets its points.

    :param table: a folder or a URL, without secrets
    :param table_format: ``"delta"``
    :raises ConfigurationError: when a value is not possible
    """

    table: str
    table_format: str = "delta"

    def __post_init__(self) -> None:
        ArchivedMeasurement.__post_init__(self)
        if self.table_format not in FORMATS:
            what = f"table_format={self.table_format!r} is not possible"
            raise ConfigurationError(what, written="nothing", fix=f"use {' or '.join(FORMATS)}")

    @property
    def table_at(self) -> TableAt:
        """The table, and whose points it holds."""
        return TableAt(self.table.rstrip("/"), f"influx-rollup export of {self.folder}")

    @property
    def pipeline(self) -> str:
        """Its name in the result."""
        return self.name or f"{self.bucket}/{self.measurement}->export"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult:
    """Result of an export.

    :param commits: how many it made, or would make
    :param rows: points in these
    :param replaced: commits in which points of an earlier export went
    :param unchanged: parts of the archive that the table held already
    :param version: of the table in the end; -1 when there is none
    :param held: what the table holds of each part
    """

    spec: ExportSpec
    interval: Interval
    commits: int
    rows: int
    replaced: int
    unchanged: int
    version: int
    dry_run: bool
    seconds: float
    held: Sequence[HeldWindow] = ()

    def as_json(self) -> dict[str, Any]:
        """Small JSON for XCom."""
        return {
            "window": self.interval.as_json(),
            "commits": self.commits,
            "rows_out": self.rows,
            "replaced": self.replaced,
            "unchanged": self.unchanged,
            "version": self.version,
            "table": self.spec.table,
            "path": f"{self.spec.shown_path}/{self.spec.folder}",
            "state": State.PLANNED.value if self.dry_run else State.COMMITTED.value,
            "dry_run": self.dry_run,
            "seconds": round(self.seconds, 3),
            "pipeline": self.spec.pipeline,
        }
