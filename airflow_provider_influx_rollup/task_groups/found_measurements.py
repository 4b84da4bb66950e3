"""What tasks of a lifecycle are told of their measurement: texts, or what each of mapped groups gets in a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
from airflow_provider_influx_rollup.operators.measurements import DiscoverMeasurementsOperator

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_influx_rollup.airflow_compat import Context

MEASUREMENT, PIPELINES = "measurement", "pipelines"


@dataclass(frozen=True, slots=True)
class TierNames:
    """The measurement of a group, and the names of its pipelines.

    :param lifecycle: as it is declared, maybe for several measurements
    :param pipelines: of each tier, from the finest to the coarsest
    :param all_pipelines: the same, for a task that takes them as one
    """

    lifecycle: Lifecycle
    measurement: Any
    pipelines: Sequence[Any]
    all_pipelines: Any

    @classmethod
    def of(cls, lifecycle: Lifecycle) -> TierNames:
        """The names of a lifecycle of one measurement."""
        names = [spec.pipeline_name for spec in lifecycle.specs()]
        return cls(lifecycle, str(lifecycle.measurement), names, names)


class DiscoverTiersOperator(DiscoverMeasurementsOperator):
    """Return, for each measurement that a lifecycle's patterns stand for, what a mapped group of tasks is told.

    :param lifecycle: with patterns
    """

    def __init__(self, *, lifecycle: Lifecycle, **kwargs: Any) -> None:
        super().__init__(bucket=lifecycle.arrival_bucket, measurement=list(lifecycle.names), **kwargs)
        self.lifecycle = lifecycle

    def execute(self, context: Context) -> list[Any]:
        """Look the measurements up.

        :param context: Airflow's context
        :return: the measurement and the names of its pipelines, for each
        """
        found = super().execute(context)
        return [_told(TierNames.of(one)) for one in self.lifecycle.each(found)] if found else []


def map_over_measurements(
    discover: DiscoverTiersOperator, group_id: str, make_tasks: Callable[[TierNames], None]
) -> None:
    """Make a group of tasks once, which Airflow repeats in a run for each measurement.

    :param make_tasks: makes the tasks of one measurement
    """
    from airflow.providers.common.compat.sdk import task_group

    tiers = len(discover.lifecycle.tiers)

    def make(**told: Any) -> None:
        pipelines = [told[_key(number)] for number in range(tiers)]
        make_tasks(TierNames(discover.lifecycle, told[MEASUREMENT], pipelines, told[PIPELINES]))

    keys = (MEASUREMENT, PIPELINES, *(_key(number) for number in range(tiers)))
    # Airflow asks the signature which values the group is told
    make.__signature__ = Signature(  # type: ignore[attr-defined]
        [Parameter(key, Parameter.KEYWORD_ONLY) for key in keys]
    )
    task_group(group_id=group_id)(make).expand_kwargs(discover.output)


def _told(names: TierNames) -> Mapping[str, Any]:
    pipelines = list(names.pipelines)
    by_tier = {_key(number): name for number, name in enumerate(pipelines)}
    return {MEASUREMENT: names.measurement, PIPELINES: pipelines, **by_tier}


def _key(number: int) -> str:
    return f"pipeline_{number + 1}"
