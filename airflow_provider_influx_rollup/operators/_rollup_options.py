"""Options of a rollup, and the tasks of InfluxDB that compute it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.data_interval import run_info
from airflow_provider_influx_rollup.declared_values import declared_duration
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.native_choice import require_native
from airflow_provider_influx_rollup.lifecycle.run.options import NATIVE, QUERY
from airflow_provider_influx_rollup.operators._base import InfluxStageOperator
from airflow_provider_influx_rollup.operators._options import OPTIONS, parsed_options
from airflow_provider_influx_rollup.task_failures import failing_by_permanence
from airflow_provider_influx_rollup.windows.duration import DurationLike

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.airflow_compat import Context
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
    from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
    from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo


class RollupOptionsOperator(InfluxStageOperator):
    """Base of the rollup: what changes how a run goes, and nothing of what is right for a window.

    :param heal: how far before the interval windows that are not COMMITTED are rolled up too, such as ``"7d"``
    :param heal_max_windows: most windows that one run heals, the oldest first
    :param force: roll up frozen windows too, from what retention has left of their points
    :param windows_per_block: most windows that are committed together; None: what takes some minutes
        at most, and no more values than the worker can hold
    :param on_window_error: ``"fail_at_end"``: the other windows are committed, then the task fails;
        ``"fail_fast"``: it fails at once
    :param execution: ``"query"``: InfluxDB is asked, and its answer waited for; ``"native"``: tasks of InfluxDB compute, and the
        triggerer waits, unless ``deferrable=False``
    """

    def __init__(
        self,
        *,
        heal: DurationLike | None = None,
        heal_max_windows: int | str = 1000,
        force: bool | str = False,
        windows_per_block: int | str | None = None,
        on_window_error: str = "fail_at_end",
        execution: str = QUERY,
        **kwargs: Any,
    ) -> None:
        if execution == NATIVE and kwargs.get("deferrable") is None:
            kwargs["deferrable"] = True
        super().__init__(**kwargs)
        self.heal = declared_duration(heal)
        self.heal_max_windows = heal_max_windows
        self.force = force
        self.windows_per_block = windows_per_block
        self.on_window_error = on_window_error
        self.execution = execution
        self._native_run: RunInfo | None = None

    def _parse_options(self) -> RollupOptions:
        return parsed_options({name: getattr(self, name) for name in OPTIONS})

    @failing_by_permanence()
    def options(self) -> RollupOptions:
        """Healing, checkpoints, who computes, and what an error of one window does.

        :raises AirflowFailException: when a parameter is not possible
        """
        return self._parse_options()

    def on_kill(self) -> None:
        """End the running request, and remove the tasks of InfluxDB that compute for this run.

        :raises AirflowException: while a verb runs, so that it does not take its next step
        """
        from airflow_provider_influx_rollup.client.driver import drive
        from airflow_provider_influx_rollup.lifecycle.rollup.native_leftovers import remove_tasks_of

        try:
            if self._native_run is not None:
                drive(remove_tasks_of(self._native_run), self.hook.get_conn(), self._report)
        finally:
            super().on_kill()

    def _running(self, context: Context) -> RunInfo:
        """Who runs it; kept for a kill when tasks of InfluxDB compute."""
        run = run_info(context)
        if self.options().is_native:
            self._native_run = run
        return run

    def _require_native(self, specs: Sequence[RollupSpec]) -> None:
        """Refuse options that are not possible, and what tasks of InfluxDB cannot do.

        :raises ConfigurationError: naming the reason
        """
        if not self._parse_options().is_native:
            return
        for spec in specs:
            require_native(spec)
        if len(specs) > 1 and getattr(self, "deferrable", False):
            what = 'execution="native" of several measurements would wait in a worker: the triggerer does one for each task'
            fix = (
                "map it: FluxRollupOperator.partial(...).expand(measurement=[...]), or give deferrable=False"
            )
            raise ConfigurationError(what, written="nothing", fix=fix)
