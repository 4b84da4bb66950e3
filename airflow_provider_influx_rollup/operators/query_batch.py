"""Ask InfluxDB many questions in one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.declared_values import declared_duration
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lineage.datasets import Flow
from airflow_provider_influx_rollup.operators._deferrable import DeferrableVerbOperator
from airflow_provider_influx_rollup.operators._flux_template import SCRIPT_FIELDS, FluxTemplateOperator
from airflow_provider_influx_rollup.operators._options import whole_number
from airflow_provider_influx_rollup.operators._window import WindowStageOperator
from airflow_provider_influx_rollup.task_failures import failing_by_permanence
from airflow_provider_influx_rollup.windows.duration import DurationLike, flux_text

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.airflow_compat import Context
    from airflow_provider_influx_rollup.lifecycle.query_batch.spec import QueryBatchSpec


class FluxQueryBatchOperator(FluxTemplateOperator, WindowStageOperator, DeferrableVerbOperator):
    """Ask many questions in one task, a few at a time: several scripts, several parameters, several windows.

    Each question is a query as of ``FluxQueryOperator``. A question that fails does not take the answers of the others with
    it: they are the task's return value, also when the task fails. Every failure is named there and in the log, with its
    window and what to do. What may pass is asked once more at the end.

    Returns ``{"window", "queries", "answered", "failed", "not_asked", "reason_not_asked", "asked_again", "rows", "answers",
    "answers_left_out", "failures", "may_pass"}``. ``answers`` has ``{"query", "window", "rows", "is_true", "first_rows"}`` of
    up to 1,000 questions, ``failures`` has ``{"query", "window", "error", "message", "to_do"}`` of up to 100.

    :param flux: a script or the path of a ``.flux`` file, or several by their names: ``{"hot": "flux/hot.flux", ...}``;
        templates, see ``FluxTemplateOperator``
    :param params_flux: values of ``params.<name>`` of all questions
    :param params_each: sets of values besides these; each script is asked with every set: a list such as
        ``[{"site": "a"}, {"site": "b"}]``, or sets by their names
    :param every: cut the interval into windows of this length, a Flux duration, and ask for each; default: it is one window
    :param max_parallel: most questions at a time, 1 to 8; all tasks of one process ask 8 at most
    :param first_rows: how many rows of each answer to return at most, 0 to 10,000; fewer when they are long together
    :param on_query_error: ``"fail_at_end"``: the others are asked, then the task fails; ``"fail_fast"``: no other is asked;
        ``"skip"``: the task succeeds when something was answered
    :raises ConfigurationError: (when the DAG is parsed) when no script is given
    """

    verb: ClassVar[str] = "query_batch"
    template_fields: Sequence[str] = (
        *WindowStageOperator.template_fields,
        *SCRIPT_FIELDS,
        "params_each",
        "max_parallel",
        "first_rows",
        "on_query_error",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "flux": "sql",
        "params_flux": "json",
        "params_each": "json",
    }
    ui_color = "#e4f8ec"

    def __init__(
        self,
        *,
        flux: str | Mapping[str, str],
        params_each: Sequence[Mapping[str, Any]] | Mapping[str, Mapping[str, Any]] | None = None,
        every: DurationLike | None = None,
        max_parallel: int | str = 4,
        first_rows: int | str = 10,
        on_query_error: str = "fail_at_end",
        **kwargs: Any,
    ) -> None:
        super().__init__(flux=flux, **kwargs)
        self.params_each = params_each
        self.every = declared_duration(every)
        self.max_parallel = max_parallel
        self.first_rows = first_rows
        self.on_query_error = on_query_error
        if not flux:
            what = f"the batch {self.task_id!r} has no query"
            fix = 'give flux="...", or several by their names: flux={"hot": "...", "cold": "..."}'
            raise ConfigurationError(what, written="nothing", fix=fix)

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask the questions.

        :param context: Airflow's context
        :return: small JSON: counts, answers, failures
        :raises AirflowFailException: when no cause of a failure may pass
        :raises InfluxRollupError: when one may
        """
        from airflow_provider_influx_rollup.lifecycle.query_batch.query_batch import run_queries

        window = self.interval(context)
        with failing_by_permanence():
            spec = self.spec()
            spec.questions(window)
        if self.deferrable:
            self.defer_verb(context, asdict(spec), [window])
        return self.react(context, self.run_verb(context, lambda _clock: run_queries(spec, window)))

    def react(self, context: Context, result: dict[str, Any]) -> dict[str, Any]:
        """Fail with the names of what failed; the answers are kept before.

        :param context: Airflow's context
        :param result: of the batch
        :raises AirflowFailException: when no cause may pass
        :raises QueriesFailed: when one may
        """
        from airflow_provider_influx_rollup.lifecycle.query_batch.failure import failure_of

        kept = "in this task's return value" if self.do_xcom_push else "dropped, as do_xcom_push is False"
        error = failure_of(result, str(self.on_query_error), kept=kept)
        if error is not None:
            self.keep_result(context, result)
            with failing_by_permanence():
                raise error
        return result

    def flows(self, results: Sequence[Mapping[str, Any]]) -> Sequence[Flow]:  # noqa: ARG002 - of its base
        """The buckets that the scripts read."""
        return [self.script_flow()]

    def spec(self) -> QueryBatchSpec:
        """The questions as plain values.

        :raises ConfigurationError: when a parameter is not possible
        """
        from airflow_provider_influx_rollup.lifecycle.query_batch.spec import QueryBatchSpec, named_params

        flux = self.flux
        queries = dict(flux) if isinstance(flux, Mapping) else {self.script_name or self.task_id: str(flux)}
        return QueryBatchSpec(
            queries=queries,
            params=self.script_params(),
            params_each=named_params(self.params_each),
            every=flux_text(self.every),
            offset=flux_text(self.offset) or "0s",
            timezone=self.timezone,
            first_rows=whole_number("first_rows", self.first_rows),
            max_parallel=whole_number("max_parallel", self.max_parallel),
            on_query_error=str(self.on_query_error),
        )
