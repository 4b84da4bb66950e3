"""One run of a restore: what is restored, and what it must not lose sight of."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_influx_rollup.lifecycle.restore.spec import RestoreSpec
from airflow_provider_influx_rollup.steps.influx import Bucket


@dataclass(frozen=True, slots=True)
class RestoreRun:
    """Context shared by all parts of a restore.

    :param spec: with the folder that the source has
    :param target: the bucket that the points go to
    :param fences: how often series had been erased before the archive was looked at
    """

    spec: RestoreSpec
    target: Bucket
    fences: int
