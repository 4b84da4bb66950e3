"""What all stages share: their parameters, driving a verb, deferring it, links, metrics, kill."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow_provider_influx_rollup.airflow_compat import (
    AirflowException,
    BaseOperator,
    Context,
    Stats,
)
from airflow_provider_influx_rollup.data_interval import interval_of_run, run_info
from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxRollupError
from airflow_provider_influx_rollup.hooks.influx import DEFAULT_CONN_ID, InfluxRollupHook
from airflow_provider_influx_rollup.links.influx import (
    LINKS_XCOM_KEY,
    InfluxDataLink,
    InfluxReceiptsLink,
    explorer_url,
)
from airflow_provider_influx_rollup.settings import default_deferrable, read_settings
from airflow_provider_influx_rollup.task_failures import failing_by_permanence, result_of_event
from airflow_provider_influx_rollup.triggers.lifecycle_job import LifecycleJobTrigger, stage_result

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.steps.influx import Report
    from airflow_provider_influx_rollup.steps.step import Steps
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
    from airflow_provider_influx_rollup.windows.interval import Interval


class InfluxStageOperator(BaseOperator):
    """Base of the stages: the parameters that all of them share.

    :param influx_conn_id: connection of type ``influx_rollup`` (or ``influxdb``)
    :param org: organisation's name; default: the connection's
    :param start: start of the interval, aware or ISO 8601 with an offset; default: the run's data interval
    :param stop: its stop, not included
    :param window: length of the interval where the run names one instant only, such as ``timedelta(hours=1)``
    :param every: length of a window of the grid, a Flux duration such as ``1h``
    :param offset: shift of the grid, a Flux duration
    :param timezone: IANA zone in which days, weeks, months and years of the grid begin
    :param lateness: how long after a window's stop its data may still come, a Flux duration
    :param pipeline: name in the ledger; default: made from the stage's parameters
    :param ledger_bucket: bucket of the receipts; default: ``[influx_rollup] ledger_bucket``
    :param dry_run: plan and report, write nothing
    :param deferrable: run in the triggerer; default: ``[influx_rollup] default_deferrable``
    """

    #: the stage's name in metrics and in the registry of triggers
    verb: ClassVar[str] = "stage"
    template_fields: Sequence[str] = (
        "influx_conn_id",
        "org",
        "start",
        "stop",
        "window",
        "every",
        "offset",
        "timezone",
        "lateness",
        "pipeline",
        "ledger_bucket",
    )
    operator_extra_links = (InfluxDataLink(), InfluxReceiptsLink())
    ui_color = "#e8e4f8"

    def __init__(
        self,
        *,
        influx_conn_id: str = DEFAULT_CONN_ID,
        org: str | None = None,
        start: str | datetime | None = None,
        stop: str | datetime | None = None,
        window: timedelta | str | None = None,
        every: str | None = None,
        offset: str = "0s",
        timezone: str = "UTC",
        lateness: str = "0s",
        pipeline: str | None = None,
        ledger_bucket: str | None = None,
        dry_run: bool = False,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.influx_conn_id = influx_conn_id
        self.org = org
        self.start = start
        self.stop = stop
        self.window = window
        self.every = every
        self.offset = offset
        self.timezone = timezone
        self.lateness = lateness
        self.pipeline = pipeline
        self.ledger_bucket = ledger_bucket if ledger_bucket is not None else read_settings().ledger_bucket
        # BaseOperator has a method dry_run() that renders the templates
        self.is_dry_run = _require_truth("dry_run", dry_run)
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self._is_running = False

    @cached_property
    def hook(self) -> InfluxRollupHook:
        """The connection; made when first used, after the templates are rendered."""
        return InfluxRollupHook(self.influx_conn_id, org=self.org)

    @failing_by_permanence()
    def interval(self, context: Context) -> Interval:
        """The interval of this run.

        :param context: Airflow's context
        :raises AirflowFailException: when nothing names an interval; the message names the fix
        """
        return interval_of_run(
            context,
            start=self.start,
            stop=self.stop,
            window=self.window,
            timezone=self.timezone,
            offset=self.offset,
        )

    @failing_by_permanence()
    def run_verb(
        self,
        context: Context,
        make_steps: Callable[[Callable[[], datetime]], Steps[Any]],
        store: ArchiveStore | None = None,
    ) -> dict[str, Any]:
        """Drive a verb in this process and return its small JSON result.

        :param context: Airflow's context
        :param make_steps: takes the clock (aware) and returns the verb's generator; may raise InfluxRollupError
        :param store: where the verb keeps files, if it does
        :raises AirflowFailException: for permanent errors
        :raises InfluxRollupError: for transient ones, which Airflow retries
        """
        from airflow_provider_influx_rollup.client.driver import ACTIONS, drive

        actions = ACTIONS
        if store is not None:
            from airflow_provider_influx_rollup.stores.actions import actions_with

            actions = actions_with(store)
        with self._measured():
            client = self.hook.get_conn()
            self._push_links(context)
            return stage_result(drive(make_steps(client.now), client, self._report, actions))

    @failing_by_permanence()
    def defer_verb(
        self,
        context: Context,
        spec: Mapping[str, Any],
        intervals: Sequence[Interval],
        *,
        verb: str | None = None,
    ) -> NoReturn:
        """Hand the verb to the triggerer and free the worker slot.

        :param context: Airflow's context
        :param spec: the verb's spec as JSON
        :param intervals: the intervals it is about
        :param verb: its name in the registry of triggers; default: the stage's
        :raises TaskDeferred: always
        """
        self.hook.get_conn()  # a missing token or host fails here, before the task is deferred
        self._push_links(context)
        trigger = LifecycleJobTrigger(
            verb=verb or self.verb,
            spec=spec,
            intervals=[interval.as_json() for interval in intervals],
            run_info=asdict(run_info(context)),
            influx_conn_id=self.influx_conn_id,
            org=self.org,
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=self.execution_timeout)

    def execute_complete(
        self,
        context: Context,  # noqa: ARG002 - Airflow's signature
        event: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Go on after the triggerer's event.

        :param context: Airflow's context
        :param event: what the trigger fired
        :raises AirflowFailException: for permanent errors
        :raises InfluxRollupError: for transient ones, which Airflow retries
        """
        with self._measured():
            result = stage_result(result_of_event(event))
        self.log.info("%s in the triggerer: %s", self.verb, result)
        return result

    def on_kill(self) -> None:
        """End the running request: close its connections and leave ``run_verb``.

        :raises AirflowException: while a verb runs, so that it does not go on to its next step
        """
        self.hook.close()
        if self._is_running:
            # Airflow 3 only calls on_kill and would let the verb go on until the process is killed
            what = f"{self.verb} was killed before its end; run it again, its windows are not COMMITTED"
            raise AirflowException(what)

    def link_bucket(self) -> str | None:
        """The bucket that the data link shows; stages have different names for it."""
        bucket = getattr(self, "target_bucket", None) or getattr(self, "bucket", None)
        return str(bucket) if bucket else None

    def _push_links(self, context: Context) -> None:
        url, organization_id = self.hook.settings.url, self.hook.organization_id()
        links = {
            "data": explorer_url(url, organization_id, self.link_bucket()),
            "receipts": explorer_url(url, organization_id, self.ledger_bucket),
        }
        context["ti"].xcom_push(key=LINKS_XCOM_KEY, value=links)

    def _report(self, report: Report) -> None:
        log = self.log.warning if report.level == "warning" else self.log.info
        log("%s", report.message)

    @contextmanager
    def _measured(self) -> Iterator[None]:
        """Time a verb and count how it ended; names hold the verb only, so that they stay few."""
        began = time.monotonic()
        outcome = "failed"
        self._is_running = True
        try:
            yield
            outcome = "success"
        except InfluxRollupError as error:
            outcome = "failed" if error.permanent else "retryable"
            raise
        finally:
            self._is_running = False
            Stats.timing(f"influx_rollup.{self.verb}.duration", timedelta(seconds=time.monotonic() - began))
            Stats.incr(f"influx_rollup.{self.verb}.{outcome}")


def _require_truth(name: str, value: object) -> bool:
    """Refuse a template where there can be none: any text would count as true."""
    if isinstance(value, bool):
        return value
    what = f"{name}={value!r} is neither True nor False"
    raise ConfigurationError(what, written="nothing", fix="give one of them: this parameter is no template")
