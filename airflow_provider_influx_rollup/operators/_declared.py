"""The rollup that an operator's parameters declare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.run.options import texts_of
from airflow_provider_influx_rollup.settings import read_settings
from airflow_provider_influx_rollup.windows.duration import flux_text

if TYPE_CHECKING:
    from typing import Any

    from airflow_provider_influx_rollup.operators.reconcile import FluxReconcileOperator
    from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator

#: the template fields of what a rollup does
DECLARED_FIELDS = (
    "source_bucket",
    "target_bucket",
    "measurement",
    "aggregates",
    "period",
    "fields",
    "tags",
    "group_by",
    "target_measurement",
    "source_tier",
)


def declared_grid(operator: FluxRollupOperator | FluxReconcileOperator) -> GridSpec:
    """The windows that the parameters name."""
    every, offset, period = (flux_text(value) for value in (operator.every, operator.offset, operator.period))
    return GridSpec(str(every), str(offset), operator.timezone, period)


def declared_rollup(
    operator: FluxRollupOperator | FluxReconcileOperator, measurement: str, **more: Any
) -> RollupSpec:
    """The rollup of one measurement.

    :param more: what the operator itself decides, such as the names of the pipeline and of the tier below
    :raises ConfigurationError: when a parameter is not possible
    """
    aggregates = operator.aggregates or ()
    return RollupSpec(
        source_bucket=str(operator.source_bucket),
        target_bucket=str(operator.target_bucket),
        measurement=measurement,
        grid=declared_grid(operator),
        aggregates={glob: texts_of(names, "aggregates") for glob, names in aggregates.items()}
        if isinstance(aggregates, Mapping)
        else texts_of(aggregates, "aggregates"),
        fields=None if operator.fields is None else texts_of(operator.fields, "fields"),
        tags={key: texts_of(values, f"tags[{key!r}]") for key, values in (operator.tags or {}).items()},
        group_by=None if operator.group_by is None else texts_of(operator.group_by, "group_by"),
        target_measurement=operator.target_measurement,
        lateness=flux_text(operator.lateness),
        compute=operator.compute,
        ledger_bucket=operator.ledger_bucket,
        max_rows_per_read=read_settings().max_rows_per_read,
        **more,
    )
