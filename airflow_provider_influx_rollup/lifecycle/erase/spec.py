"""The spec of an erasure, as plain values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_influx_rollup.exceptions import ConfigurationError, InvalidName
from airflow_provider_influx_rollup.flux.names import validate_name, why_invalid
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.windows.all_time import EVER
from airflow_provider_influx_rollup.windows.interval import Interval

STAGE = "erase"


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseSpec:
    """Series of a measurement that must not be anywhere any more.

    :param archive: where the points are, and where their archive is
    :param tags: what the series have, all of these; never shown
    :param interval: only points inside; None: of all time
    :param pipelines: names of the pipelines whose rows go too; None: all that the ledger knows; empty: there are none, so that
        a ledger without any is as it should be
    :param quarantine_buckets: buckets with copies of points that broke a rule, under the same measurement
    :param copies: bucket and measurement of other copies, which the ledger knows
    :param status_buckets: buckets with statuses of deadman checks
    :param require_archive: refuse when nothing was ever archived under the path
    :raises ConfigurationError: when a value is not possible
    """

    archive: ArchiveSpec
    tags: Mapping[str, str]
    interval: Interval | None = None
    pipelines: tuple[str, ...] | None = None
    quarantine_buckets: tuple[str, ...] = ()
    status_buckets: tuple[str, ...] = ()
    require_archive: bool = True
    copies: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.tags:
            what = "tags is empty: that would erase every series"
            raise ConfigurationError(
                what, written="nothing", fix='name whose series go, such as tags={"customer": "42"}'
            )
        for bucket in (*self.quarantine_buckets, *self.status_buckets):
            validate_name("bucket", bucket)
        for key, value in self.tags.items():
            _require_possible(key, value)

    @property
    def span(self) -> Interval:
        """The series and places to scan."""
        return self.interval or EVER

    @property
    def sources(self) -> frozenset[tuple[str, str]]:
        """Bucket and measurement of what pipelines may read: the points, and copies of them."""
        return frozenset([(self.archive.bucket, self.archive.measurement), *self.copied_to])

    @property
    def copied_to(self) -> tuple[tuple[str, str], ...]:
        """Bucket and measurement of all copies."""
        return (*((bucket, self.archive.measurement) for bucket in self.quarantine_buckets), *self.copies)

    @property
    def filters(self) -> dict[str, tuple[str, ...]]:
        """The tags as a source's filter."""
        return {key: (value,) for key, value in self.tags.items()}

    def shown(self, pipeline: str) -> str:
        """The name of a pipeline without the tags' values, which the filter in a default name holds."""
        for key, value in self.tags.items():
            chosen = rf"((?:[{{,]){re.escape(key)}=(?:[^,}}]*\|)?){re.escape(value)}(?=[|,}}])"
            pipeline = re.sub(chosen, r"\1...", pipeline)
        return pipeline

    @property
    def pipeline(self) -> str:
        """Name in results."""
        return self.archive.name or f"{self.archive.kept_names[1]}/{self.archive.measurement}->erase"


def _require_possible(key: object, value: object) -> None:
    """Refuse what no delete can name; the value is not repeated.

    :raises ConfigurationError: with the key
    """
    if not isinstance(key, str) or not isinstance(value, str):
        what = f"tag {key!r} is to have a value of type {type(value).__name__}"
        raise ConfigurationError(what, written="nothing", fix='give texts, such as tags={"customer": "42"}')
    validate_name("tag", key)
    if why := why_invalid("tag value", value):
        what = f"the value of tag {key!r} cannot be used: {why}"
        raise InvalidName(what, written="nothing", fix="give a value that InfluxDB can hold")
