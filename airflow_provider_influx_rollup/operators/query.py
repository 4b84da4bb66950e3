"""Ask InfluxDB a question about the run's window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.declared_values import declared_duration
from airflow_provider_influx_rollup.lineage.datasets import Flow
from airflow_provider_influx_rollup.operators._deferrable import DeferrableVerbOperator
from airflow_provider_influx_rollup.operators._flux_template import SCRIPT_FIELDS, FluxTemplateOperator
from airflow_provider_influx_rollup.operators._window import WindowStageOperator
from airflow_provider_influx_rollup.task_failures import failing_by_permanence
from airflow_provider_influx_rollup.windows.duration import DurationLike, flux_text

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.airflow_compat import Context
    from airflow_provider_influx_rollup.lifecycle.query.query import QuerySpec


class FluxQueryOperator(FluxTemplateOperator, WindowStageOperator, DeferrableVerbOperator):
    """Run Flux for the run's window and return the first rows as small JSON.

    ``v.timeRangeStart``, ``v.timeRangeStop``, ``v.windowPeriod``, ``params.<name>`` and ``now()`` are bound as values,
    never pasted into the text. Returns ``{"window", "rows", "first_rows", "is_true"}``: ``rows`` is how many there were,
    ``is_true`` whether any row has a ``_value`` that is true, a number but 0 and NaN, or a text that is not empty, or has
    no ``_value`` at all.

    :param flux: the script, or the path of a ``.flux`` file; a template, see ``FluxTemplateOperator``
    :param params_flux: values of ``params.<name>``
    :param every: value of ``v.windowPeriod``, a Flux duration; default: the window's length
    :param first_rows: how many rows to return at most, 0 to 10,000; fewer when they are long
    """

    verb: ClassVar[str] = "query"
    template_fields: Sequence[str] = (*WindowStageOperator.template_fields, *SCRIPT_FIELDS)
    template_fields_renderers: ClassVar[dict[str, str]] = {"flux": "sql", "params_flux": "json"}
    ui_color = "#e4f8ec"

    def __init__(
        self,
        *,
        flux: str,
        every: DurationLike | None = None,
        first_rows: int = 100,
        **kwargs: Any,
    ) -> None:
        super().__init__(flux=flux, **kwargs)
        self.every = declared_duration(every)
        self.first_rows = first_rows

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the query.

        :param context: Airflow's context
        :raises AirflowFailException: for permanent errors
        :raises InfluxRollupError: for transient ones, which Airflow retries
        """
        from airflow_provider_influx_rollup.lifecycle.query.query import run_query

        window = self.interval(context)
        with failing_by_permanence():
            spec = self.spec()
        if self.deferrable:
            self.defer_verb(context, asdict(spec), [window], verb="query")
        return self.react(context, self.run_verb(context, lambda _clock: run_query(spec, window)))

    def flows(self, results: Sequence[Mapping[str, Any]]) -> Sequence[Flow]:  # noqa: ARG002 - of its base
        """The buckets that the script reads."""
        return [self.script_flow()]

    def spec(self) -> QuerySpec:
        """The question as plain values.

        :raises ConfigurationError: when a parameter is not possible
        """
        from airflow_provider_influx_rollup.lifecycle.query.query import QuerySpec

        return QuerySpec(str(self.flux), self.script_params(), self.first_rows, flux_text(self.every))
