"""Run a task of InfluxDB for the run's data interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.data_interval import run_info
from airflow_provider_influx_rollup.operators._deferrable import DeferrableVerbOperator
from airflow_provider_influx_rollup.operators._window import WindowStageOperator
from airflow_provider_influx_rollup.task_failures import asking_first, failing_by_permanence
from airflow_provider_influx_rollup.typed_arguments import TEXT, Kind

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.airflow_compat import Context
    from airflow_provider_influx_rollup.lifecycle.task_run.spec import RunSpec
    from airflow_provider_influx_rollup.lifecycle.task_run.task_run import RunResult
    from airflow_provider_influx_rollup.steps.step import Steps
    from airflow_provider_influx_rollup.windows.interval import Interval


class InfluxTaskRunOperator(WindowStageOperator, DeferrableVerbOperator):
    """Ask InfluxDB to run one of its tasks for each window of the data interval, and wait until it has.

    ``now()`` is the window's stop in each run, however long ago that was. The lines of the runs' logs go into this task's log
    as they come. A retry asks InfluxDB for the failed run again; when this task is killed in a worker, its run is canceled.

    Returns ``{"task", "task_id", "window", "windows", "last_run_id", "status", "seconds", "run_seconds"}``.

    :param name: the task's name; it must be active
    """

    verb: ClassVar[str] = "task_run"
    template_fields: Sequence[str] = (*WindowStageOperator.template_fields, "name")
    own_kinds: ClassVar[Mapping[str, Kind]] = {"name": TEXT}
    ui_color = "#f8f0e4"

    def __init__(self, *, name: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name
        self._running: tuple[RunSpec, Interval] | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the task.

        :param context: Airflow's context
        :raises AirflowFailException: for permanent errors
        :raises InfluxRollupError: for transient ones, which Airflow retries
        """
        interval = self.interval(context)
        with failing_by_permanence():
            spec = self.spec(context)
        if self.deferrable:
            self.defer_verb(context, spec.as_json(), [interval])
        self._running = (spec, interval)

        def make_steps(now: Callable[[], datetime]) -> Steps[RunResult]:
            from airflow_provider_influx_rollup.lifecycle.task_run.task_run import run_task

            return run_task(spec, interval, now)

        return self.run_verb(context, make_steps)

    def spec(self, context: Context) -> RunSpec:
        """The spec as plain values.

        :param context: Airflow's context
        :raises ConfigurationError: when a parameter is not possible
        """
        from airflow_provider_influx_rollup.lifecycle.task_run.spec import RunSpec

        info = run_info(context)
        with asking_first():
            began = self.hook.get_conn().now().isoformat()
        return RunSpec(self.name, began, is_retry=info.try_number > info.first_try)

    def on_kill(self) -> None:
        """Cancel the run in InfluxDB, and leave.

        :raises AirflowException: while a verb runs, so that it does not go on to its next step
        """
        from airflow_provider_influx_rollup.client.driver import drive
        from airflow_provider_influx_rollup.lifecycle.task_run.task_run import cancel_runs

        try:
            if self._running is not None:
                spec, interval = self._running
                drive(cancel_runs(spec, interval), self.hook.get_conn(), self._report)
        finally:
            super().on_kill()
