"""The spec of a purge, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_influx_rollup.exceptions import ConfigurationError, PurgeRefused
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.local_time import shift

STAGE = "purge"
DEFAULT_MIN_AGE = "30d"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeSpec:
    """A measurement, its archive, and what must be true before a window of it is deleted.

    :param archive: where the points are, and where their archive is
    :param require_pipelines: names of pipelines that must hold what is made of the points
    :param min_age: how long ago a window must have ended, a Flux duration
    :param quiet_for: for how long nothing may have changed in it, a Flux duration
    :param timezone: IANA zone whose clocks whole days and months of ``min_age`` follow
    :raises ConfigurationError: when a value is not possible
    """

    archive: ArchiveSpec
    require_pipelines: tuple[str, ...] = ()
    min_age: str = DEFAULT_MIN_AGE
    quiet_for: str = "1d"
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        Duration.of(self.min_age, allow_zero=True)
        if self.rest < timedelta():
            what = f"quiet_for={self.quiet_for} is not possible"
            raise ConfigurationError(what, written="nothing", fix="give a duration such as 1d")

    def due_at(self, window: Interval) -> datetime:
        """The time at which a window is old enough."""
        return shift(window.stop, Duration.of(self.min_age, allow_zero=True), self.timezone)

    @property
    def rest(self) -> timedelta:
        """For how long nothing may have changed."""
        return Duration.of(self.quiet_for, allow_zero=True).timedelta

    @property
    def pipeline(self) -> str:
        """Name in the ledger."""
        return self.archive.name or f"{self.archive.kept_names[1]}/{self.archive.measurement}->purge"


def refused(what: str, window: Interval, fix: str) -> PurgeRefused:
    """The error of a proof that is not complete."""
    return PurgeRefused(what, window=window, written="nothing was deleted", fix=fix)
