"""Spec and result of a restore, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_influx_rollup.archive.paths import measurement_folder
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.names import validate_name, validate_written_measurement
from airflow_provider_influx_rollup.hashing import combine_checksums
from airflow_provider_influx_rollup.ledger.default_bucket import DEFAULT_LEDGER_BUCKET
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import DEFAULT_MOST_ROWS, ArchiveSpec
from airflow_provider_influx_rollup.windows.interval import Interval

STAGE = "restore"
RESTORED = "RESTORED"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreSpec:
    """An archived measurement, and where its points go.

    :param org: organisation that the archive was made of
    :param source_bucket: bucket that the archive was made of
    :param measurement: measurement that the archive was made of
    :param target_bucket: where the points go; must exist
    :param target_org: organisation of the target, the connection's
    :param target_measurement: name that they get; default: the same
    :param shown_path: the base folder, for people; without secrets
    :param overwrite: replace points that have another value, and leave points that the archive does not have
    :param allow_missing: restore what there is when a part of the interval was never archived
    :param ledger_bucket: where receipts are kept
    :param max_rows_per_read: most points of the target that one query reads
    :param name: in the ledger; default: made of the others
    :param kept_as: organisation and bucket that the folder is named after, when they were renamed since
    :param is_of_target: whether the archive is known to be that of the target, by its id; None: by their names
    :raises ConfigurationError: when a value is not possible
    """

    org: str
    source_bucket: str
    measurement: str
    target_bucket: str
    target_org: str
    shown_path: str
    target_measurement: str | None = None
    overwrite: bool = False
    allow_missing: bool = False
    ledger_bucket: str = DEFAULT_LEDGER_BUCKET
    max_rows_per_read: int = DEFAULT_MOST_ROWS
    name: str | None = None
    kept_as: tuple[str, str] | None = None
    is_of_target: bool | None = None

    def __post_init__(self) -> None:
        for name in (self.source_bucket, self.target_bucket):
            validate_name("bucket", name)
        for name in (self.measurement, self.output_measurement):
            validate_written_measurement(name)
        if self.max_rows_per_read < 1:
            what = f"max_rows_per_read is {self.max_rows_per_read}"
            raise ConfigurationError(what, written="nothing", fix="use 1 or more")

    @property
    def output_measurement(self) -> str:
        """The measurement in the target."""
        return self.target_measurement or self.measurement

    @property
    def folder(self) -> str:
        """The folder of the measurement in the store."""
        return measurement_folder(*(self.kept_as or (self.org, self.source_bucket)), self.measurement)

    @property
    def pipeline(self) -> str:
        """Name in the ledger."""
        return (
            self.name
            or f"archive of {self.source_bucket}/{self.measurement}->{self.target_bucket}/{self.output_measurement}"
        )

    @property
    def is_in_place(self) -> bool:
        """Whether the points go back to where they were."""
        if self.is_of_target is not None:
            return self.is_of_target and self.measurement == self.output_measurement
        source = (self.org, self.source_bucket, self.measurement)
        return source == (self.target_org, self.target_bucket, self.output_measurement)

    @property
    def target(self) -> ArchiveSpec:
        """The target, as something that is read."""
        return ArchiveSpec(
            org=self.target_org,
            bucket=self.target_bucket,
            measurement=self.output_measurement,
            shown_path=self.shown_path,
            max_rows_per_read=self.max_rows_per_read,
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RestoreSpec:
        """Undo ``as_json``."""
        kept_as = values.get("kept_as")
        return cls(**{**values, "kept_as": None if kept_as is None else tuple(kept_as)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """Result of one piece of the interval.

    :param generation: of the archive, the newest one where several count
    :param rows: points of the archive in it
    :param written: points that were written; 0 when all were there
    :param series: tag sets among what was proven
    :param checksum: of the points of the archive
    :param replaced: points that had another value
    :param unknown: points of the target that the archive does not have, and that are still there
    :param lost: points of the archive that the target does not have, as their series has several of one time
    :param lost_series: some of these series
    """

    interval: Interval
    generation: int
    rows: int
    written: int
    series: int
    checksum: str
    replaced: int = 0
    unknown: int = 0
    lost: int = 0
    lost_series: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreResult:
    """Result of an interval.

    :param missing: parts of it that were never archived
    :param lifted: purged windows of the source that are whole again
    """

    spec: RestoreSpec
    interval: Interval
    pieces: tuple[Restored, ...]
    missing: tuple[Interval, ...]
    lifted: tuple[Interval, ...]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Small JSON for XCom; the checksum stands for the archived points of the interval."""
        return {
            "window": self.interval.as_json(),
            "windows": len(self.pieces),
            "rows_in": sum(piece.rows for piece in self.pieces),
            "rows_out": sum(piece.written for piece in self.pieces),
            "series": max((piece.series for piece in self.pieces), default=0),
            "checksum": combine_checksums(piece.checksum for piece in self.pieces),
            "generation": max((piece.generation for piece in self.pieces), default=0),
            "replaced": sum(piece.replaced for piece in self.pieces),
            "unknown": sum(piece.unknown for piece in self.pieces),
            "lost": sum(piece.lost for piece in self.pieces),
            "missing": [interval.as_json() for interval in self.missing],
            "lifted": [interval.as_json() for interval in self.lifted],
            "state": RESTORED,
            "path": f"{self.spec.shown_path}/{self.spec.folder}",
            "bucket": self.spec.target_bucket,
            "measurement": self.spec.output_measurement,
            "seconds": round(self.seconds, 3),
            "pipeline": self.spec.pipeline,
        }
