"""The spec of an archive, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.ledger.default_bucket import DEFAULT_LEDGER_BUCKET
from airflow_provider_influx_rollup.lifecycle.archive_files.archived_measurement import ArchivedMeasurement

DEFAULT_MOST_ROWS = 5_000_000
STAGE = "archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSpec(ArchivedMeasurement):
    """A measurement and where it is archived.

    :param lateness: how long after a window's end points may still come, a Flux duration
    :param max_rows_per_read: most points that one query reads
    :param force: archive what is left of a window that retention has begun to take
    :raises ConfigurationError: when a value is not possible
    """

    ledger_bucket: str = DEFAULT_LEDGER_BUCKET
    lateness: str = "0s"
    max_rows_per_read: int = DEFAULT_MOST_ROWS
    force: bool = False

    def __post_init__(self) -> None:
        ArchivedMeasurement.__post_init__(self)
        if self.max_rows_per_read < 1:
            what = f"max_rows_per_read is {self.max_rows_per_read}"
            raise ConfigurationError(what, written="nothing", fix="use 1 or more")

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
