"""What an archive is asked for, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_influx_rollup.archive.paths import measurement_folder
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.names import validate_name, validate_written_measurement
from airflow_provider_influx_rollup.ledger.default_bucket import DEFAULT_LEDGER_BUCKET

DEFAULT_MOST_ROWS = 5_000_000
STAGE = "archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSpec:
    """A measurement and where it is archived.

    :param org: organisation, the first folder of the archive
    :param bucket: bucket of the points
    :param measurement: one measurement
    :param shown_path: the base folder, for people; without secrets
    :param ledger_bucket: where receipts are kept
    :param lateness: how long after a window's end points may still come, a Flux duration
    :param max_rows_per_read: most points that one query reads
    :param force: archive what is left of a window that retention has begun to take
    :param name: of the pipeline; default: made from bucket and measurement
    :param kept_as: organisation and bucket that the folder is named after, when they were renamed since
    :raises ConfigurationError: when a value is not possible
    """

    org: str
    bucket: str
    measurement: str
    shown_path: str
    ledger_bucket: str = DEFAULT_LEDGER_BUCKET
    lateness: str = "0s"
    max_rows_per_read: int = DEFAULT_MOST_ROWS
    force: bool = False
    name: str | None = None
    kept_as: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        validate_name("bucket", self.bucket)
        validate_written_measurement(self.measurement)
        if self.max_rows_per_read < 1:
            what = f"max_rows_per_read is {self.max_rows_per_read}"
            raise ConfigurationError(what, written="nothing", fix="use 1 or more")

    @property
    def folder(self) -> str:
        """The folder of the measurement in the store."""
        return measurement_folder(*self.kept_names, self.measurement)

    @property
    def kept_names(self) -> tuple[str, str]:
        """Organisation and bucket that the folder is named after: those of its manifests too."""
        return self.kept_as or (self.org, self.bucket)

    @property
    def pipeline(self) -> str:
        """Name in the ledger."""
        return self.name or f"{self.kept_names[1]}/{self.measurement}->archive"

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ArchiveSpec:
        """Undo ``as_json``."""
        kept_as = values.get("kept_as")
        return cls(**{**values, "kept_as": None if kept_as is None else tuple(kept_as)})
