"""The steps before and after the tiers of a lifecycle, as plain values: validation, archive, purge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.windows.duration import Duration, DurationLike, keep_flux_texts


@dataclass(frozen=True, slots=True)
class Validation:
    """Validation before the first tier.

    :param rules: rules, or the path of a YAML file with them
    :param bucket: where points arrive; those that break no rule are copied to the lifecycle's source bucket. None: the
        source bucket itself, of which nothing is copied
    :param quarantine_bucket: where points that break a rule are copied to; must exist
    :param on_failure: ``"fail"``, ``"quarantine"``, ``"warn"`` or ``"skip"``
    """

    rules: str | Sequence[Mapping[str, Any]]
    bucket: str | None = None
    quarantine_bucket: str | None = None
    on_failure: str = "fail"


@dataclass(frozen=True, slots=True)
class Archive:
    """The archive of each run's points, and the age at which the bucket gives them up.

    :param path: base folder of the archive
    :param path_conn_id: Airflow connection of the object store
    :param every: length of an archived window, a Flux duration; None: the data interval
    :param purge_after: how long after the run that archived them points are deleted, with proof that the archive and
        every tier have them, a Flux duration; None: never
    :param quiet_for: for how long nothing may have changed in a window that is purged, a Flux duration
    :raises ConfigurationError: when points would be purged before they have been quiet for long enough
    """

    path: str
    path_conn_id: str | None = None
    every: DurationLike | None = None
    purge_after: DurationLike | None = None
    quiet_for: DurationLike = "1d"

    def __post_init__(self) -> None:
        keep_flux_texts(self, "every", "purge_after", "quiet_for")
        if self.purge_after is None:
            return
        after, quiet = Duration.of(self.purge_after), Duration.of(self.quiet_for, allow_zero=True)
        if not after.months and not quiet.months and after.timedelta <= quiet.timedelta:
            what = f"purge_after={self.purge_after} is not longer than quiet_for={self.quiet_for}"
            raise ConfigurationError(what, written="nothing", fix="purge later")
