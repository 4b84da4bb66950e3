"""Choices of a run's windows that a rollup can have; a DAG file imports only this."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec

TILED, ENDING, COMPLETE = "tiled", "ending", "complete"
CHOICES = (TILED, ENDING, COMPLETE)
NO_WINDOW = "no window of {grid} ends in {interval}"


def require_choice(choice: str, spec: RollupSpec) -> None:
    """Refuse a choice of windows that the rollup cannot have.

    :raises ConfigurationError: saying which it can have
    """
    if choice not in CHOICES:
        what = f"windows={choice!r} is not possible"
        raise ConfigurationError(what, written="nothing", fix=f"use one of {', '.join(CHOICES)}")
    if choice == COMPLETE and spec.source_tier is None:
        what = 'windows="complete" needs source_tier: it is unknown when raw points are complete'
        raise ConfigurationError(what, written="nothing", fix=f'give source_tier, or use windows="{ENDING}"')
    if choice != TILED and spec.grid.period is not None:
        what = (
            f"windows={choice!r} is not possible with period: a sliding window belongs to the run it stops in"
        )
        raise ConfigurationError(what, written="nothing", fix="leave windows out")
