"""``@task.flux``: a function that returns Flux, run for the window of the run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

# not from airflow_compat: on 2.11 these cost 0.4 s, and operators do not need them
from airflow.providers.common.compat.sdk import (
    SET_DURING_EXECUTION,
    DecoratedOperator,
    TaskDecorator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.extern import extern_file, window_values
from airflow_provider_influx_rollup.lifecycle.steps import Query
from airflow_provider_influx_rollup.operators._base import InfluxStageOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.task_failures import failing_by_permanence
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.airflow_compat import Context
    from airflow_provider_influx_rollup.lifecycle.steps import Steps

Script = tuple[str, Mapping[str, Any]]


class _FunctionOfFlux(DecoratedOperator):
    """Calls the function when the task runs, and keeps what it returns in ``flux`` and ``params_flux``."""

    custom_operator_name = "@task.flux"
    overwrite_rtif_after_execution = True
    template_fields: Sequence[str] = ("op_args", "op_kwargs")
    flux: Any
    params_flux: Any

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            flux=SET_DURING_EXECUTION,
            **kwargs,
        )

    def execute(self, context: Context) -> Any:
        """Call the function, then run what it returned.

        :param context: Airflow's context; its values can be parameters of the function
        :raises AirflowFailException: when the function returns neither Flux nor (Flux, values)
        """
        context_merge(context, self.op_kwargs)
        kwargs = determine_kwargs(self.python_callable, self.op_args, context)
        returned = self.python_callable(*self.op_args, **kwargs)
        with failing_by_permanence():
            self.flux, self.params_flux = read_script(returned)
        return super().execute(context)


class _FluxQueryOperator(InfluxStageOperator):
    """Runs Flux for a window and returns how many rows it gave, and the first of them.

    :param flux: the script; ``v`` and ``now()`` are the window's
    :param params_flux: values of ``params.<name>``
    :param first_rows: how many rows to return
    """

    verb: ClassVar[str] = "query"

    def __init__(
        self,
        *,
        flux: str,
        params_flux: Mapping[str, Any] | None = None,
        first_rows: int = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.flux = flux
        self.params_flux = params_flux
        self.first_rows = first_rows

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the query and return its window, row count and first rows.

        :param context: Airflow's context
        :raises AirflowFailException: for permanent errors
        :raises InfluxRollupError: for transient ones, which Airflow retries
        """
        window = self.interval(context)

        def make_steps(_clock: object) -> Steps[dict[str, Any]]:
            period = Duration.of(self.every) if self.every else window.duration
            return query_window(self.flux, self.params_flux or {}, window, period, self.first_rows)

        return self.run_verb(context, make_steps)


class _FluxQueryTask(_FunctionOfFlux, _FluxQueryOperator):
    """``@task.flux`` without a target bucket."""

    template_fields: Sequence[str] = (*_FunctionOfFlux.template_fields, *_FluxQueryOperator.template_fields)


class _FluxRollupTask(_FunctionOfFlux, FluxRollupOperator):
    """``@task.flux(target_bucket=...)``: the script form of the rollup."""

    template_fields: Sequence[str] = (*_FunctionOfFlux.template_fields, *FluxRollupOperator.template_fields)


def read_script(returned: object) -> Script:
    """The script and its values from what a function returned.

    :param returned: Flux text, or Flux text and a mapping of values
    :raises ConfigurationError: when it is neither
    """
    flux, values = returned if isinstance(returned, tuple) and len(returned) == 2 else (returned, {})
    if not isinstance(flux, str) or not flux.strip() or not isinstance(values, Mapping):
        what = f"the function of @task.flux returned {type(returned).__name__}, not Flux text"
        raise ConfigurationError(what, written="nothing", fix="return the script, or (script, {name: value})")
    return flux, values


def query_window(
    flux: str, params: Mapping[str, Any], window: Interval, period: Duration | timedelta, first_rows: int
) -> Steps[dict[str, Any]]:
    """Query one window.

    :param flux: the script
    :param params: values of ``params.<name>``
    :param window: what ``v.timeRangeStart`` and ``v.timeRangeStop`` are; ``now()`` is its stop
    :param period: what ``v.windowPeriod`` is
    :param first_rows: how many rows to return
    """
    extern = extern_file(v=window_values(window, period), params=params)
    rows = yield Query(flux, extern=extern, now=window.stop)
    first = [{name: _json_value(value) for name, value in row.items()} for row in rows[:first_rows]]
    return {"window": window.as_json(), "rows": len(rows), "first_rows": first}


def _json_value(value: object) -> object:
    if isinstance(value, datetime):
        return format_instant(value)
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def flux_task(
    python_callable: Callable[..., Any] | None = None, *, target_bucket: str | None = None, **kwargs: Any
) -> TaskDecorator:
    """Make a task of a function that returns Flux text, or ``(text, {name: value})``.

    ``v.timeRangeStart``, ``v.timeRangeStop``, ``v.windowPeriod``, ``params.<name>`` and ``now()`` are bound as
    values for the window of the run. With ``target_bucket`` the script is a rollup: the parameters are those
    of ``FluxRollupOperator``. Without, it is a query, whose row count and first rows are returned.

    :param python_callable: the function
    :param target_bucket: where a rollup writes
    :param kwargs: parameters of the operator
    """
    if target_bucket is not None:
        kwargs["target_bucket"] = target_bucket
    return task_decorator_factory(
        python_callable=python_callable,
        decorated_operator_class=_FluxQueryTask if target_bucket is None else _FluxRollupTask,
        **kwargs,
    )
