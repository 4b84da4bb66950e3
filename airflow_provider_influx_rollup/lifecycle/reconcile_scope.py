"""Which windows a reconcile looks at, and what it is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_influx_rollup.exceptions import BucketNotFound, ConfigurationError
from airflow_provider_influx_rollup.lifecycle.spec import DEFAULT_LEDGER_BUCKET, RollupSpec
from airflow_provider_influx_rollup.lifecycle.steps import FindBucket, Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.lateness import is_due

PLAN, REPAIR = "plan", "repair"


@dataclass(frozen=True, slots=True)
class ReconcileOptions:
    """How a pipeline is reconciled.

    :param mode: ``"repair"``, or ``"plan"``, which writes nothing
    :param strict: True recomputes every aggregate of every window; False those of the raw points only where the others
        differ; None does so for the fields whose count, sum, min, max, first and last are all stored
    :param max_windows: most windows of the pipeline that are repaired, the oldest first; None: all
    :raises ConfigurationError: when one is not possible
    """

    mode: str = REPAIR
    strict: bool | None = None
    max_windows: int | None = None

    def __post_init__(self) -> None:
        if self.mode not in (PLAN, REPAIR):
            what = f"mode={self.mode!r} is not possible"
            raise ConfigurationError(what, written="nothing", fix=f"use {PLAN!r} or {REPAIR!r}")
        if self.max_windows is not None and not _is_positive(self.max_windows):
            what = f"max_windows={self.max_windows!r} is not possible"
            raise ConfigurationError(what, written="nothing", fix="give a whole number, 1 or more")

    @property
    def is_plan(self) -> bool:
        """Whether nothing is written."""
        return self.mode == PLAN


@dataclass(frozen=True, slots=True)
class ReconcileSpec:
    """What the operator asks for, as plain values that travel as JSON.

    :param pipeline: name in the ledger; not needed with ``rollup``
    :param rollup: the rollup's own spec, in place of the one that the ledger has of the pipeline
    :param lookback: how far back from now, a Flux duration; None: an interval is given
    :param cascade: whether the higher tiers follow
    """

    pipeline: str = ""
    ledger_bucket: str = DEFAULT_LEDGER_BUCKET
    rollup: RollupSpec | None = None
    lookback: str | None = None
    cascade: bool = True
    options: ReconcileOptions = ReconcileOptions()

    def __post_init__(self) -> None:
        if not self.pipeline and self.rollup is None:
            what = "no pipeline is named"
            fix = "give pipeline=, the name that the ledger has, or the rollup's own parameters"
            raise ConfigurationError(what, written="nothing", fix=fix)
        if self.lookback is not None:
            Duration.of(self.lookback).timedelta  # noqa: B018 - refuses months

    def as_json(self) -> dict[str, Any]:
        """Plain values, for triggers."""
        return {**asdict(self), "rollup": None if self.rollup is None else self.rollup.as_json()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ReconcileSpec:
        """Undo ``as_json``."""
        rollup = values["rollup"]
        options = ReconcileOptions(**values["options"])
        spec = None if rollup is None else RollupSpec.from_json(rollup)
        return cls(**{**values, "rollup": spec, "options": options})


def interval_back(spec: RollupSpec, lookback: str, now: datetime) -> Steps[Interval | None]:
    """From the window that ``now - lookback`` lies in to the last window that is due; None when there is none.

    :param now: the time now, aware UTC
    :raises ConfigurationError: when the source does not keep its points that long
    :raises BucketNotFound: when there is no source
    """
    source = yield FindBucket(spec.source_bucket)
    if source is None:
        what = f"there is no source bucket {spec.source_bucket!r}, or the token may not read it"
        raise BucketNotFound(what, http_status=404, written="nothing", fix="create it, or correct its name")
    length = Duration.of(lookback).timedelta
    kept = timedelta(seconds=source.retention_seconds)
    if kept and length > kept:
        what = f"lookback={lookback} reaches further back than bucket {source.name!r} keeps points, which is {kept}"
        fix = f"give a lookback of at most {_seconds(kept)}, or let the bucket keep its points longer"
        raise ConfigurationError(what, written="nothing", fix=fix)
    grid = spec.grid.grid()
    start = grid.floor(now - length)
    stop = grid.floor(now - Duration.of(spec.lateness, allow_zero=True).timedelta)
    return Interval(start, stop) if start < stop else None


def due_windows(spec: RollupSpec, interval: Interval, now: datetime) -> tuple[Interval, ...]:
    """The windows of an interval whose stop + lateness has passed.

    :param interval: must be tiled exactly by the grid
    :raises WindowMisaligned: when the grid does not tile the interval
    """
    lateness = Duration.of(spec.lateness, allow_zero=True)
    return tuple(w for w in spec.grid.grid().windows(interval) if is_due(w, lateness, now))


def _is_positive(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number > 0


def _seconds(length: timedelta) -> str:
    return Duration(0, length // timedelta(microseconds=1) * 1000).to_flux()
