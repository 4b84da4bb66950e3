"""What a purge is asked for, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from airflow_provider_influx_rollup.exceptions import ConfigurationError, PurgeRefused
from airflow_provider_influx_rollup.lifecycle.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.local_time import shift

STAGE = "purge"


@dataclass(frozen=True, slots=True)
class PurgeSpec:
    """A measurement, its archive, and what must be true before a window of it is deleted.

    :param archive: where the points are, and where their archive is
    :param require_pipelines: names of pipelines that must hold what is made of the points
    :param min_age: how long ago a window must have ended, a Flux duration
    :param quiet_for: for how long nothing may have changed in it, a Flux duration
    :raises ConfigurationError: when a value is not possible
    """

    archive: ArchiveSpec
    require_pipelines: tuple[str, ...] = ()
    min_age: str = "30d"
    quiet_for: str = "1d"

    def __post_init__(self) -> None:
        for length in (self.age, self.rest):
            if length < timedelta():
                what = f"min_age={self.min_age} or quiet_for={self.quiet_for} is not possible"
                raise ConfigurationError(what, written="nothing", fix="give durations such as 30d")

    @property
    def age(self) -> timedelta:
        """How long ago a window must have ended."""
        return Duration.of(self.min_age, allow_zero=True).timedelta

    @property
    def rest(self) -> timedelta:
        """For how long nothing may have changed."""
        return Duration.of(self.quiet_for, allow_zero=True).timedelta

    @property
    def pipeline(self) -> str:
        """Name in the ledger."""
        return self.archive.name or f"{self.archive.bucket}/{self.archive.measurement}->purge"


def earlier(interval: Interval, delay: str, timezone: str) -> Interval:
    """An interval so much earlier.

    :param delay: a Flux duration; whole days and months are those of the zone's clocks
    :param timezone: an IANA name
    """
    by = Duration.of(delay, allow_zero=True)
    start, stop = (shift(edge, by, timezone, backwards=True) for edge in (interval.start, interval.stop))
    return Interval(start, stop)


def refused(what: str, window: Interval, fix: str) -> PurgeRefused:
    """The error of a proof that is not complete."""
    return PurgeRefused(what, window=window, written="nothing was deleted", fix=fix)
