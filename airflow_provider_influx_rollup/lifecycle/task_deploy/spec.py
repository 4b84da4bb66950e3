"""The spec of a task in InfluxDB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.rollup_script.gate import OnRawRead
from airflow_provider_influx_rollup.steps.tasks import ACTIVE, INACTIVE
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.local_time import zone_name

ABSENT = "absent"
STATES = (ACTIVE, INACTIVE, ABSENT)
RAW_READS = ("fail", "warn", "allow")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """A declared task.

    :param flux: its script; None only with ``state="absent"``
    :param name: None takes that of ``option task``
    :param state: ``"active"``, ``"inactive"`` (paused) or ``"absent"`` (deleted)
    :param every: length of the windows of ``v``, a Flux duration; None takes the ``every`` of ``option task``
    :param timezone: IANA zone in which windows of days, months and years begin
    :param pipeline: what the description calls the pipeline
    :param dag_id: the DAG that deploys it
    :param params: values of ``params.<name>``, which become a part of the script; None for none
    :param overwrite: whether what was changed by hand may be lost
    :param on_raw_read: what a script that reads raw points does: ``"fail"``, ``"warn"`` or ``"allow"``
    :raises ConfigurationError: when the values contradict each other
    """

    flux: str | None
    name: str | None = None
    state: str = ACTIVE
    every: str | None = None
    timezone: str = "UTC"
    pipeline: str | None = None
    dag_id: str = ""
    params: Mapping[str, Any] | None = None
    overwrite: bool = False
    on_raw_read: OnRawRead = "warn"

    def __post_init__(self) -> None:
        if self.state not in STATES:
            what = f"state={self.state!r} is not possible"
            raise ConfigurationError(what, written="nothing", fix=f"give one of {', '.join(STATES)}")
        if self.on_raw_read not in RAW_READS:
            what = f"on_raw_read={self.on_raw_read!r} is not possible"
            raise ConfigurationError(what, written="nothing", fix=f"give one of {', '.join(RAW_READS)}")
        if self.every is not None:
            Duration.parse(self.every)
        zone_name(self.timezone)
        if self.state == ABSENT and not (self.name or self.flux):
            what = "a task to delete has neither a name nor a script"
            raise ConfigurationError(what, written="nothing", fix="give name, or the script that names it")
        if self.state != ABSENT and not (self.flux or "").strip():
            what = "a task has no script"
            raise ConfigurationError(
                what, written="nothing", fix="give flux: text, or the path of a .flux file"
            )
