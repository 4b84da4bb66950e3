"""Look up the measurements of a bucket, for tasks that are mapped over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.lineage.datasets import Flow, Measurement
from airflow_provider_influx_rollup.operators._base import InfluxStageOperator

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.airflow_compat import Context
    from airflow_provider_influx_rollup.steps.step import Steps


class DiscoverMeasurementsOperator(InfluxStageOperator):
    """Return the measurements of a bucket that names and patterns stand for, sorted.

    The list is for dynamic task mapping: ``FluxRollupOperator.partial(...).expand(measurement=discover.output)``. Only the
    index is read, no point. A list without any is no error: what is mapped over it is skipped.

    :param bucket: where the points are; must exist
    :param measurement: names, and patterns such as ``*`` and ``cpu*``; ``!internal*`` takes away
    """

    verb: ClassVar[str] = "discover"
    template_fields: Sequence[str] = (*InfluxStageOperator.template_fields, "bucket", "measurement")

    def __init__(self, *, bucket: str, measurement: str | Sequence[str] = "*", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.measurement = measurement

    def flows(self, results: Sequence[Mapping[str, Any]]) -> Sequence[Flow]:  # noqa: ARG002 - of its base
        """From the bucket, names."""
        return [Flow([Measurement(self.bucket)])]

    def execute(self, context: Context) -> list[Any]:
        """Look the measurements up.

        :param context: Airflow's context
        :return: their names
        """
        from airflow_provider_influx_rollup.lifecycle.source.discovery import find_measurements

        names = [self.measurement] if isinstance(self.measurement, str) else list(self.measurement)

        def steps() -> Steps[dict[str, list[str]]]:
            return {"measurements": (yield from find_measurements(self.bucket, names))}

        found: list[Any] = self.run_verb(context, lambda _now: steps())["measurements"]
        return found
