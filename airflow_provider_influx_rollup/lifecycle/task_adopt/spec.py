"""The spec of an adoption, and what was read of the task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.plain_task import PlainTask
from airflow_provider_influx_rollup.flux.script import ScriptFacts, TaskOption
from airflow_provider_influx_rollup.ledger.default_bucket import DEFAULT_LEDGER_BUCKET
from airflow_provider_influx_rollup.steps.tasks import NativeTask

#: a declared rollup; the script in FluxRollupOperator; the task as it is, deployed by InfluxTaskDeployOperator
ROLLUP, SCRIPT, TASK = FORMS = ("rollup", "script", "task")
MAX_WINDOWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptSpec:
    """An adoption.

    :param name: of the task
    :param windows: how many windows both are compared for
    :param form: ``"rollup"``, ``"script"`` or ``"task"``; None takes the first one that is possible
    :param until: the windows end by then; None: those that are due now
    :param org: the organisation's name
    :raises ConfigurationError: when a value is not possible
    """

    name: str
    org: str
    windows: int = 10
    form: str | None = None
    until: datetime | None = None
    ledger_bucket: str = DEFAULT_LEDGER_BUCKET

    def __post_init__(self) -> None:
        if not 1 <= self.windows <= MAX_WINDOWS:
            what = f"{self.windows} windows cannot be compared"
            raise ConfigurationError(what, written="nothing", fix=f"give a number from 1 to {MAX_WINDOWS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTask:
    """A task, and what its script says.

    :param script: without the ``v`` that a deploy has put in
    :param package: its syntax tree
    :param plain: the rollup that it is; None when it is none
    :param reasons: why it is none, one sentence each
    :param own_windows: why its windows are not those between its runs; empty when they are
    """

    task: NativeTask
    script: str
    package: Mapping[str, Any]
    facts: ScriptFacts
    option: TaskOption
    plain: PlainTask | None
    reasons: tuple[str, ...]
    own_windows: tuple[str, ...]

    @property
    def lateness(self) -> str:
        """The task's offset, as a Flux duration."""
        return self.option.offset.to_flux() if self.option.offset else "0s"
