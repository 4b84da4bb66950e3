"""``@task.flux``, ``@task.flux_branch``, ``@task.flux_short_circuit``: functions that return Flux for the run's window."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
from airflow_provider_influx_rollup.operators.branch import FluxBranchOperator, FluxShortCircuitOperator
from airflow_provider_influx_rollup.operators.query import FluxQueryOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.task_failures import failing_by_permanence

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.airflow_compat import Context

Script = tuple[str, Mapping[str, Any]]


class _FunctionOfFlux(DecoratedOperator):
    """Calls the function when the task runs, and keeps its script in ``flux`` and its values in ``params_flux``."""

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
        if "flux" in kwargs:
            what = (
                f"the function {python_callable.__name__!r} returns the script, and flux= names another one"
            )
            raise ConfigurationError(what, written="nothing", fix="leave flux out")
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
            self.flux, values = read_script(returned)
        # where both give a value, that of the function counts
        self.params_flux = {**(self.params_flux or {}), **values}
        return super().execute(context)


class _FluxQueryTask(_FunctionOfFlux, FluxQueryOperator):
    """``@task.flux`` without a target bucket."""

    template_fields: Sequence[str] = (*_FunctionOfFlux.template_fields, *FluxQueryOperator.template_fields)


class _FluxBranchTask(_FunctionOfFlux, FluxBranchOperator):
    """``@task.flux_branch``."""

    custom_operator_name = "@task.flux_branch"
    template_fields: Sequence[str] = (*_FunctionOfFlux.template_fields, *FluxBranchOperator.template_fields)


class _FluxShortCircuitTask(_FunctionOfFlux, FluxShortCircuitOperator):
    """``@task.flux_short_circuit``."""

    custom_operator_name = "@task.flux_short_circuit"
    template_fields: Sequence[str] = (
        *_FunctionOfFlux.template_fields,
        *FluxShortCircuitOperator.template_fields,
    )


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
        what = f"the function of the task returned {type(returned).__name__}, not Flux text"
        raise ConfigurationError(what, written="nothing", fix="return the script, or (script, {name: value})")
    return flux, values


def flux_task(
    python_callable: Callable[..., Any] | None = None, *, target_bucket: str | None = None, **kwargs: Any
) -> TaskDecorator:
    """Make a task of a function that returns Flux text, or ``(text, {name: value})``.

    ``v.timeRangeStart``, ``v.timeRangeStop``, ``v.windowPeriod``, ``params.<name>`` and ``now()`` are bound as
    values for the window of the run. With ``target_bucket`` the script is a rollup: the parameters are those
    of ``FluxRollupOperator``. Without, it is a query, whose row count and first rows are returned. Values of
    ``params_flux`` are bound too; where the function returns one of the same name, that one counts.

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


def flux_branch_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """Make a branch of a function that returns Flux text, or ``(text, {name: value})``.

    :param python_callable: the function
    :param kwargs: parameters of ``FluxBranchOperator``, such as ``follow_task_ids_if_true``
    """
    return task_decorator_factory(
        python_callable=python_callable, decorated_operator_class=_FluxBranchTask, **kwargs
    )


def flux_short_circuit_task(
    python_callable: Callable[..., Any] | None = None, **kwargs: Any
) -> TaskDecorator:
    """Skip what comes after unless the Flux that a function returns says yes.

    :param python_callable: the function, which returns Flux text, or ``(text, {name: value})``
    :param kwargs: parameters of ``FluxShortCircuitOperator``
    """
    return task_decorator_factory(
        python_callable=python_callable, decorated_operator_class=_FluxShortCircuitTask, **kwargs
    )
