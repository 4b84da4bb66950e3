"""The steps beside the tiers of a lifecycle, as plain values: validation, deadman check, archive, purge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_types import require_types
from airflow_provider_influx_rollup.windows.duration import Duration, DurationLike, keep_flux_texts

WINDOWS, PARTITIONS = "windows", "partitions"
#: whether runs tell other DAGs of the windows that they change, and how
AssetChoice = Literal["windows", "partitions"]


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
    on_failure: Literal["fail", "quarantine", "warn", "skip"] = "fail"

    def __post_init__(self) -> None:
        require_types(self, may_come_in_a_run=True)
        if self.on_failure == "quarantine" and self.quarantine_bucket is None:
            what = "on_failure='quarantine' has no bucket to copy points to"
            raise ConfigurationError(what, written="nothing", fix="give quarantine_bucket")


@dataclass(frozen=True, slots=True)
class Deadman:
    """A check of the raw points for series that are silent, after the first tier.

    :param silence: how long without a point is death, a Flux duration; None: the data interval
    :param group_by: tag keys that tell series apart; None: those of ``expected_series``, else all
    :param expected_series: tags of each expected series; None: all that were seen within the lookback
    :param inventory_lookback: how long before the interval a series may have been seen last, a Flux duration
    :param retire_after: how long a series may be silent until it is retired, a Flux duration; None: until it leaves the lookback
    :param level: level of the statuses of dead series
    :param on_dead: ``"signal"`` writes statuses only, ``"fail"`` fails the task without retries, ``"skip"`` skips it
    """

    silence: DurationLike | None = None
    group_by: Sequence[str] | None = None
    expected_series: Sequence[Mapping[str, str]] | None = None
    inventory_lookback: DurationLike = "7d"
    retire_after: DurationLike | None = None
    level: Literal["crit", "warn"] = "crit"
    on_dead: Literal["signal", "fail", "skip"] = "signal"

    def __post_init__(self) -> None:
        keep_flux_texts(self, "silence", "inventory_lookback", "retire_after")
        for length in (self.silence, self.inventory_lookback, self.retire_after):
            if length is not None:
                Duration.of(length).timedelta  # noqa: B018 - refuses months


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
        path: Any = self.path
        if hasattr(path, "__fspath__"):
            object.__setattr__(self, "path", path.__fspath__())
        require_types(self, may_come_in_a_run=True)
        keep_flux_texts(self, "every", "purge_after", "quiet_for")
        if self.purge_after is None:
            return
        after, quiet = Duration.of(self.purge_after), Duration.of(self.quiet_for, allow_zero=True)
        if not after.months and not quiet.months and after.timedelta <= quiet.timedelta:
            what = f"purge_after={self.purge_after} is not longer than quiet_for={self.quiet_for}"
            raise ConfigurationError(what, written="nothing", fix="purge later")


def require_named_assets(assets: AssetChoice | None, patterns: Sequence[str]) -> None:
    """Refuse partitions of measurements that only a run finds: Airflow has to know their assets before.

    :raises ConfigurationError: naming the patterns
    """
    if assets == PARTITIONS and patterns:
        what = f"assets={PARTITIONS!r} needs the names of all measurements, and {', '.join(map(repr, patterns))} are patterns"
        raise ConfigurationError(
            what, written="nothing", fix=f"name the measurements, or give assets={WINDOWS!r}"
        )
