"""A bucket as it is declared: how long it keeps its points, and what is written on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.names import validate_name
from airflow_provider_influx_rollup.lifecycle.run.options import texts_of
from airflow_provider_influx_rollup.windows.duration import Duration, DurationLike, keep_flux_texts

SHORTEST_SECONDS = 3600
YEAR_SECONDS = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket that is made when it is missing, and changed when it is another one.

    :param name: its name
    :param retention: how long it keeps its points, at least ``1h``, a Flux duration; a year has 365 days, and
        months, which have no length, are refused; None forever
    :param shard_group: how much time one shard group holds, a Flux duration without months; None: as InfluxDB chooses
    :param description: None leaves the one that it has
    :param labels: labels that it has; others stay
    :param schema: explicit schemas are of InfluxDB Cloud only, and refused
    :raises ConfigurationError: when a value is not possible
    """

    name: str
    _: KW_ONLY
    retention: DurationLike | None = None
    shard_group: DurationLike | None = None
    description: str | None = None
    labels: Sequence[str] = ()
    schema: str | None = None

    def __post_init__(self) -> None:
        validate_name("bucket", self.name)
        keep_flux_texts(self, "retention", "shard_group")
        texts_of(self.labels, "labels")
        if self.schema is not None:
            what = f"bucket {self.name!r} is to have a schema, which InfluxDB OSS does not know: it makes the bucket without"
            fix = "leave schema out, and check types with a validation rule"
            raise ConfigurationError(what, written="nothing", fix=fix)
        if 0 < self.retention_seconds < SHORTEST_SECONDS:
            what = f"bucket {self.name!r} is to keep its points for {self.retention}; InfluxDB keeps them for at least 1h"
            raise ConfigurationError(what, written="nothing", fix="give 1h or more")
        if self.retention_seconds and (self.shard_group_seconds or 0) > self.retention_seconds:
            what = f"the shard groups of bucket {self.name!r} ({self.shard_group}) are longer than it keeps its points"
            raise ConfigurationError(what, written="nothing", fix="give a shorter shard_group")

    @property
    def retention_seconds(self) -> int:
        """The retention; 0 forever."""
        return 0 if self.retention is None else _seconds(self.retention)

    @property
    def shard_group_seconds(self) -> int | None:
        """The length of a shard group; None as InfluxDB chooses."""
        return None if self.shard_group is None else _seconds(self.shard_group)


def _seconds(length: DurationLike) -> int:
    found = Duration.of(length)
    years, months = divmod(found.months, 12)
    if months or not years:
        return int(found.timedelta.total_seconds())
    return years * YEAR_SECONDS
