"""The record that a deploy keeps in a task's description, so that the next one knows its own tasks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.steps.tasks import NativeTask

MARK = "Deployed by influx-rollup "
OWN_LABEL, DAG_LABEL, PIPELINE_LABEL = "influx-rollup", "dag:", "pipeline:"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployRecord:
    """The task as it was deployed.

    :param script: SHA-256 of the whole script, with the ``v`` that was put in
    :param status: ``"active"`` or ``"inactive"``
    :param name: of the task; empty in a record that was written before it had one
    :param dag_id: the DAG that deployed it; empty when none did
    :param pipeline: the pipeline it belongs to, as the user named it
    :param every: length of a run's window, a Flux duration; empty when it is not known
    :param timezone: IANA zone of the windows
    """

    script: str
    status: str
    name: str = ""
    dag_id: str = ""
    pipeline: str = ""
    every: str = ""
    timezone: str = "UTC"

    def description(self) -> str:
        """The description of the task."""
        values = {name: getattr(self, name) for name in self.__slots__ if getattr(self, name)}
        return MARK + json.dumps(values, ensure_ascii=False, sort_keys=True)

    def labels(self) -> tuple[str, ...]:
        """Labels of the task, by which InfluxDB's UI finds those of a DAG or a pipeline."""
        named = {DAG_LABEL: self.dag_id, PIPELINE_LABEL: self.pipeline}
        return (OWN_LABEL, *(f"{prefix}{name}" for prefix, name in named.items() if name))

    def matches(self, task: NativeTask) -> bool:
        """Whether script and status are as they were deployed."""
        return self.script == script_hash(task.flux) and self.status == task.status


def record_of(task: NativeTask) -> DeployRecord | None:
    """The record in a task's description; None when no deploy has written it, or it was changed by hand."""
    mark, found, text = task.description.partition(MARK)
    if mark or not found:
        return None
    try:
        values = json.loads(text)
        record = DeployRecord(**values)
    except (ValueError, TypeError):
        return None
    return record if all(isinstance(value, str) for value in values.values()) else None


def obsolete_labels(task: NativeTask, wanted: Collection[str]) -> tuple[str, ...]:
    """Labels of earlier deploys, under another DAG or pipeline."""
    ours = (name for name in task.labels if name.startswith((DAG_LABEL, PIPELINE_LABEL)))
    return tuple(name for name in ours if name not in wanted)


def script_hash(flux: str) -> str:
    """SHA-256 of a script, hexadecimal."""
    return hashlib.sha256(flux.encode()).hexdigest()
