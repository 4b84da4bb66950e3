"""A measurement whose points are archived, and the folder that they are in."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_influx_rollup.archive.paths import measurement_folder
from airflow_provider_influx_rollup.flux.names import validate_name, validate_written_measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedMeasurement:
    """A measurement whose points are archived.

    :param org: organisation, the first folder of the archive
    :param bucket: bucket of the points
    :param measurement: one measurement
    :param shown_path: the base folder, for people; without secrets
    :param name: of the pipeline; default: made from bucket and measurement
    :param ledger_bucket: knows the folder of a renamed bucket; empty: the folder has the name of ``bucket``
    :param kept_as: organisation and bucket that the folder is named after, when they were renamed since
    :raises ConfigurationError: when a name is not possible
    """

    org: str
    bucket: str
    measurement: str
    shown_path: str
    name: str | None = None
    ledger_bucket: str = ""
    kept_as: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        validate_name("bucket", self.bucket)
        validate_written_measurement(self.measurement)

    @property
    def folder(self) -> str:
        """The folder of the measurement in the store."""
        return measurement_folder(*self.kept_names, self.measurement)

    @property
    def kept_names(self) -> tuple[str, str]:
        """Organisation and bucket that the folder is named after: those of its manifests too."""
        return self.kept_as or (self.org, self.bucket)
