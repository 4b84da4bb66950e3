"""Stages that the ledger knows: their parameters, and the link to their receipts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_influx_rollup.airflow_compat import Context
from airflow_provider_influx_rollup.links.influx import InfluxDataLink, InfluxReceiptsLink
from airflow_provider_influx_rollup.links.windows import WINDOWS_XCOM_KEY, InfluxWindowsLink, windows_url
from airflow_provider_influx_rollup.operators._base import InfluxStageOperator
from airflow_provider_influx_rollup.operators._options import plain_truth
from airflow_provider_influx_rollup.settings import read_settings
from airflow_provider_influx_rollup.windows.interval import Interval

LEDGER_FIELDS = ("pipeline", "ledger_bucket")


class LedgerStageOperator(InfluxStageOperator):
    """Base of the stages that read or write receipts.

    :param pipeline: name in the ledger; default: made from the stage's parameters
    :param ledger_bucket: bucket of the receipts; default: ``[influx_rollup] ledger_bucket``
    :param dry_run: plan and report, write nothing
    :raises ConfigurationError: (when the DAG is parsed) when ``dry_run`` is neither True nor False
    """

    template_fields: Sequence[str] = (*InfluxStageOperator.template_fields, *LEDGER_FIELDS)
    operator_extra_links: Any = (InfluxDataLink(), InfluxReceiptsLink(), InfluxWindowsLink())

    def __init__(
        self,
        *,
        pipeline: str | None = None,
        ledger_bucket: str | None = None,
        dry_run: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.ledger_bucket = ledger_bucket if ledger_bucket is not None else read_settings().ledger_bucket
        # BaseOperator has a method dry_run() that renders the templates
        self.is_dry_run = plain_truth("dry_run", dry_run)

    def linked_buckets(self) -> dict[str, str | None]:
        """The buckets that the links show, by the links' keys."""
        return {**super().linked_buckets(), "receipts": self.ledger_bucket}

    def link_result(self, context: Context, result: dict[str, Any]) -> None:
        """Link the windows that a verb was about: a reconcile, or a run with a delay, looks back.

        :param context: Airflow's context
        :param result: of the verb
        """
        super().link_result(context, result)
        is_alone = len(self.lineage_results) == 1
        window = result.get("window")
        interval = Interval.from_json(window) if window else self._interval_at_start(context)
        self._push_windows(context, result.get("pipeline") if is_alone else self.pipeline, interval)

    def _push_links(self, context: Context) -> None:
        super()._push_links(context)
        # a task that fails has this one
        self._push_windows(context, self.pipeline, self._interval_at_start(context))

    def _push_windows(self, context: Context, pipeline: str | None, interval: Interval | None) -> None:
        url = windows_url(self.influx_conn_id, str(self.ledger_bucket), pipeline, interval)
        context["ti"].xcom_push(key=WINDOWS_XCOM_KEY, value=url)

    def pipeline_of(self, measurement: str, *, several: bool) -> str | None:
        """The name in the ledger of one of the stage's measurements; None for the one that is made.

        :param several: whether the stage has more measurements than this one
        """
        return f"{self.pipeline}:{measurement}" if self.pipeline and several else self.pipeline
