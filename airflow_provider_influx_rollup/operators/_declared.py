"""Stages of a declared rollup: its parameters, and the rollup that they declare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow_provider_influx_rollup.declared_values import declared_duration
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.run.options import texts_of
from airflow_provider_influx_rollup.lineage.datasets import Flow, Measurement
from airflow_provider_influx_rollup.operators._ledger import LEDGER_FIELDS, LedgerStageOperator
from airflow_provider_influx_rollup.operators._window import WindowStageOperator
from airflow_provider_influx_rollup.settings import read_settings
from airflow_provider_influx_rollup.windows.duration import DurationLike, flux_text


class DeclaredRollupOperator(WindowStageOperator, LedgerStageOperator):
    """Base of the stages that know a rollup by its own parameters; the first six are those of ``FluxRollupOperator``.

    :param period: length of sliding windows, a multiple of ``every``; a window belongs to the run it stops in
    :param fields: field globs; None takes all
    :param tags: tag values to keep: ``{"site": ["a", "b"]}``
    :param group_by: tag keys that stay; the series they merge are merged exactly
    :param target_measurement: default: the source's name; fields are written as ``<field>_<aggregate>``
    :param compute: ``"auto"``: what InfluxDB cannot push down is computed in the worker from one read;
        ``"server"``: in InfluxDB, slower, for data that must not leave it
    :param source_tier: name of the pipeline that writes ``source_bucket``, whose rows are merged; ``"auto"`` finds it
        in the ledger; None reads raw points
    """

    may_lack: ClassVar[frozenset[str]] = frozenset({"measurement"})
    template_fields: Sequence[str] = (
        *WindowStageOperator.template_fields,
        *LEDGER_FIELDS,
        "every",
        "lateness",
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

    def __init__(
        self,
        *,
        source_bucket: str | None = None,
        target_bucket: str | None = None,
        measurement: str | Sequence[str] | None = None,
        every: DurationLike | None = None,
        lateness: DurationLike | None = None,
        aggregates: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
        period: DurationLike | None = None,
        fields: Sequence[str] | None = None,
        tags: Mapping[str, str | Sequence[str]] | None = None,
        group_by: Sequence[str] | None = None,
        target_measurement: str | None = None,
        compute: str = "auto",
        source_tier: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source_bucket = source_bucket
        self.target_bucket = target_bucket
        self.measurement = measurement
        self.every = declared_duration(every)
        self.lateness = declared_duration(lateness) or "0s"
        self.aggregates = aggregates
        self.period = declared_duration(period)
        self.fields = fields
        self.tags = tags
        self.group_by = group_by
        self.target_measurement = target_measurement
        self.compute = compute
        self.source_tier = source_tier

    def declared_flows(self) -> list[Flow]:
        """From the source of each measurement, its rows in the target."""
        names = [self.measurement] if isinstance(self.measurement, str) else list(self.measurement or ())
        source, target = str(self.source_bucket), str(self.target_bucket)
        return [
            Flow([Measurement(source, name)], [Measurement(target, self.target_measurement or name)])
            for name in names
        ]

    def declared_grid(self) -> GridSpec:
        """The windows that the parameters name."""
        every, offset, period = (flux_text(value) for value in (self.every, self.offset, self.period))
        return GridSpec(str(every), str(offset), self.timezone, period)

    def declared_rollup(self, measurement: str, **more: Any) -> RollupSpec:
        """The rollup of one measurement.

        :param more: what the stage itself decides, such as the names of the pipeline and of the tier below
        :raises ConfigurationError: when a parameter is not possible
        """
        aggregates = self.aggregates or ()
        return RollupSpec(
            source_bucket=str(self.source_bucket),
            target_bucket=str(self.target_bucket),
            measurement=measurement,
            grid=self.declared_grid(),
            aggregates={glob: texts_of(names, "aggregates") for glob, names in aggregates.items()}
            if isinstance(aggregates, Mapping)
            else texts_of(aggregates, "aggregates"),
            fields=None if self.fields is None else texts_of(self.fields, "fields"),
            tags={key: texts_of(values, f"tags[{key!r}]") for key, values in (self.tags or {}).items()},
            group_by=None if self.group_by is None else texts_of(self.group_by, "group_by"),
            target_measurement=self.target_measurement,
            lateness=flux_text(self.lateness),
            compute=self.compute,
            ledger_bucket=self.ledger_bucket,
            max_rows_per_read=read_settings().max_rows_per_read,
            **more,
        )
