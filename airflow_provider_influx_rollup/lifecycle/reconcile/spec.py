"""The spec of a reconcile, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.ledger.default_bucket import DEFAULT_LEDGER_BUCKET
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.windows.duration import Duration

PLAN, REPAIR = "plan", "repair"


@dataclass(frozen=True, slots=True)
class ReconcileOptions:
    """Options of a pipeline's reconcile.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileSpec:
    """The operator's request, as plain values that travel as JSON.

    :param pipeline: name in the ledger; not needed with ``rollup``
    :param rollup: the rollup's own spec, in place of the one that the ledger has of the pipeline
    :param above: higher tiers as they are declared, in place of what the ledger has of them
    :param lookback: how far back from now, a Flux duration; None: an interval is given
    :param cascade: whether the higher tiers follow
    """

    pipeline: str = ""
    ledger_bucket: str = DEFAULT_LEDGER_BUCKET
    rollup: RollupSpec | None = None
    above: tuple[RollupSpec, ...] = ()
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
        rollup = None if self.rollup is None else self.rollup.as_json()
        return {**asdict(self), "rollup": rollup, "above": [one.as_json() for one in self.above]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ReconcileSpec:
        """Undo ``as_json``."""
        rollup = values["rollup"]
        options = ReconcileOptions(**values["options"])
        spec = None if rollup is None else RollupSpec.from_json(rollup)
        above = tuple(RollupSpec.from_json(one) for one in values.get("above", ()))
        return cls(**{**values, "rollup": spec, "above": above, "options": options})


def _is_positive(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number > 0
