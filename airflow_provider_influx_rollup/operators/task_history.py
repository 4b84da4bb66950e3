"""Tell what the runs of InfluxDB's own tasks did, and count them in Airflow's metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.run.options import texts_of
from airflow_provider_influx_rollup.operators._window import WindowStageOperator
from airflow_provider_influx_rollup.task_failures import failing_by_permanence

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.airflow_compat import Context
    from airflow_provider_influx_rollup.lifecycle.task_history.task_history import Histories
    from airflow_provider_influx_rollup.steps.step import Steps

REACTIONS = ("warn", "fail")


class InfluxTaskHistoryOperator(WindowStageOperator):
    """Look at the runs of InfluxDB's tasks in the data interval: how long they took, which failed, which windows have no success.

    The numbers go into Airflow's metrics: the counters ``runs``, ``errors`` and ``missed``, and the timer ``run_duration``.
    InfluxDB forgets runs after three days: windows before that count as missed.

    Returns ``{"window", "runs", "errors", "missed", "run_seconds", "tasks": [{"task", "task_id", "runs", "errors", "missed",
    "reasons", "missed_windows"}]}``; lists hold at most 100 entries.

    :param name: the task's name, or several; None takes all that the token may read
    :param on_trouble: when a run failed or a window has no success: ``"warn"`` says so in the log, ``"fail"`` fails this task
        for good
    :raises ConfigurationError: (when the DAG is parsed) when ``on_trouble`` is not possible
    """

    verb: ClassVar[str] = "task_history"
    template_fields: Sequence[str] = (*WindowStageOperator.template_fields, "name")
    ui_color = "#f8f0e4"

    def __init__(
        self,
        *,
        name: str | Sequence[str] | None = None,
        on_trouble: Literal["warn", "fail"] = "warn",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_trouble not in REACTIONS:
            what = f"on_trouble={on_trouble!r} is not possible"
            raise ConfigurationError(what, written="nothing", fix=f"use one of {', '.join(REACTIONS)}")
        self.name = name
        self.on_trouble = on_trouble

    def execute(self, context: Context) -> dict[str, Any]:
        """Look at the runs.

        :param context: Airflow's context
        :raises AirflowFailException: for permanent errors, and for trouble when that fails the task
        :raises InfluxRollupError: for transient errors, which Airflow retries
        """
        interval = self.interval(context)
        with failing_by_permanence():
            names = None if self.name is None else texts_of(self.name, "name")

        def make_steps(now: Callable[[], datetime]) -> Steps[Histories]:
            from airflow_provider_influx_rollup.lifecycle.task_history.task_history import histories

            return histories(names, interval, now())

        result = self.run_verb(context, make_steps)
        trouble = [one for one in result["tasks"] if one["errors"] or one["missed"]]
        for one in trouble:
            self.log.warning("%s", _told(one))
        if trouble and self.on_trouble == "fail":
            raise AirflowFailException("; ".join(map(_told, trouble)))
        return result


def _told(task: dict[str, Any]) -> str:
    text = f"task {task['task']!r}: {task['errors']} of {task['runs']} runs failed, {task['missed']} windows have no success"
    return f"{text}: {task['reasons'][0]}" if task["reasons"] else text
