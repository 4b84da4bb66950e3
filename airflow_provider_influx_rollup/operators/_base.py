"""The base of all stages: connection, driving a verb, links, metrics, kill; it refuses parameters that a stage ignores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.airflow_compat import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    BaseOperator,
    Context,
)
from airflow_provider_influx_rollup.data_interval import code_of_run, run_info
from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxRollupError
from airflow_provider_influx_rollup.hooks.default_connection import DEFAULT_CONN_ID
from airflow_provider_influx_rollup.hooks.influx import InfluxRollupHook
from airflow_provider_influx_rollup.lineage.stage import LineageTask
from airflow_provider_influx_rollup.links.influx import (
    LINKS_XCOM_KEY,
    InfluxDataLink,
    dashboard_url,
    explorer_url,
)
from airflow_provider_influx_rollup.metrics import tell_result
from airflow_provider_influx_rollup.operators._observed import Observed, observed
from airflow_provider_influx_rollup.task_failures import asking_first, failing_by_permanence
from airflow_provider_influx_rollup.triggers.lifecycle_job import stage_result
from airflow_provider_influx_rollup.typed_arguments import TypedArguments
from airflow_provider_influx_rollup.windows.all_time import EVER
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.steps.influx import Report
    from airflow_provider_influx_rollup.steps.step import Steps
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore

# each belongs to some stages; one that does not take it would do as if it were not there
OF_SOME_STAGES = (
    "start",
    "stop",
    "window",
    "partition_key_format",
    "every",
    "offset",
    "timezone",
    "lateness",
    "pipeline",
    "ledger_bucket",
    "dry_run",
    "max_rows_per_read",
    "partitions",
)

#: of ``outlets``: the assets of what a stage writes
AUTO = "auto"


def is_auto(outlets: object) -> bool:
    """Whether a stage is to name the assets of what it writes, alone or beside others.

    :param outlets: as a DAG gives it
    """
    return outlets == AUTO or (isinstance(outlets, list | tuple) and AUTO in outlets)


class InfluxStageOperator(TypedArguments, LineageTask, BaseOperator):
    """Base of the stages: the parameters that all of them have. A subclass adds those that it reads, and no others.

    :param influx_conn_id: connection of type ``influx_rollup`` (or ``influxdb``)
    :param org: organisation's name; default: the connection's
    :raises ConfigurationError: (when the DAG is parsed) when a parameter of other stages is given, which has no effect here; or one of a type
        that is not possible, and then when its template is rendered, too
    """

    #: the stage's name in metrics and in the registry of triggers
    verb: ClassVar[str] = "stage"
    template_fields: Sequence[str] = ("influx_conn_id", "org")
    operator_extra_links: Any = (InfluxDataLink(),)
    ui_color = "#e8e4f8"

    def __init__(
        self, *, influx_conn_id: str = DEFAULT_CONN_ID, org: str | None = None, **kwargs: Any
    ) -> None:
        # a stage that takes them has taken them out of kwargs by now
        self._refuse_foreign(kwargs)
        super().__init__(**kwargs)
        self.influx_conn_id = influx_conn_id
        self.org = org
        self._is_running = False
        self.lineage_results: list[dict[str, Any]] = []
        #: what the verbs have returned that ran in this process
        self.outcomes: list[Any] = []

    def prepare_for_execution(self) -> Any:
        """Airflow's own: the copy that runs. It has its own results."""
        task = super().prepare_for_execution()
        task.lineage_results, task.outcomes = [], []
        return task

    @cached_property
    def hook(self) -> InfluxRollupHook:
        """The connection; made when first used, after the templates are rendered."""
        return InfluxRollupHook(self.influx_conn_id, org=self.org)

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
        from airflow_provider_influx_rollup.client.arrow_meanwhile import import_arrow_meanwhile

        import_arrow_meanwhile()
        from airflow_provider_influx_rollup.client.driver import ACTIONS, drive
        from airflow_provider_influx_rollup.client.tally import counting
        from airflow_provider_influx_rollup.client.tracing import span_facts, stage_span

        actions = ACTIONS
        if store is not None:
            from airflow_provider_influx_rollup.stores.actions import actions_with

            actions = actions_with(store)
        code = code_of_run(context)
        with (
            self._observed(code) as seen,
            counting() as counts,
            stage_span(self.verb, {**asdict(run_info(context)), **code}) as span,
        ):
            try:
                client = self.hook.get_conn()
                with asking_first():
                    self._push_links(context)
                    steps = make_steps(client.now)
                outcome = drive(steps, client, self._report, actions)
                self.outcomes.append(outcome)
                seen.result = result = stage_result(outcome)
                span.add(span_facts(result))
            finally:
                seen.requests = counts.as_json()
        is_dry_run = bool(getattr(self, "is_dry_run", False))
        tell_result(self.verb, result, is_dry_run=is_dry_run, lateness=self.lateness_of_windows())
        self.lineage_results.append(result)
        self.link_result(context, result)
        return result

    def on_kill(self) -> None:
        """End the running request: close its connections and leave ``run_verb``.

        :raises AirflowException: while a verb runs, so that it does not take its next step
        """
        self.hook.close()
        if self._is_running:
            # Airflow 3 only calls on_kill and would let the verb run until the process is killed
            what = f"{self.verb} was killed before its end; run it again, its windows are not COMMITTED"
            raise AirflowException(what)

    def link_bucket(self) -> str | None:
        """The bucket that the data link shows; stages have different names for it."""
        bucket = getattr(self, "target_bucket", None) or getattr(self, "bucket", None)
        return str(bucket) if bucket else None

    def linked_buckets(self) -> dict[str, str | None]:
        """The buckets that the links show, by the links' keys."""
        return {"data": self.link_bucket()}

    def link_result(self, context: Context, result: dict[str, Any]) -> None:
        """Link the time that a verb was about: a reconcile, or a run with a delay, looks back.

        :param context: Airflow's context
        :param result: of the verb
        """
        window = result.get("window")
        try:
            if window and self.hook.dashboard is not None:
                self._push_influx_links(context, Interval.from_json(window))
        except (AirflowNotFoundException, InfluxRollupError) as error:
            # the work is done, and after a deferral this is the first look at the connection
            self.log.info("The link to InfluxDB keeps the time of the run: %s", error)

    def _push_links(self, context: Context) -> None:
        self._push_influx_links(context, self._interval_at_start(context))

    def _push_influx_links(self, context: Context, interval: Interval | None) -> None:
        url, organization_id = self.hook.settings.url, self.hook.organization_id()
        buckets, dashboard = self.linked_buckets(), self.hook.dashboard
        links = {key: explorer_url(url, organization_id, bucket) for key, bucket in buckets.items()}
        if dashboard is not None and interval is not None and interval != EVER:
            links["data"] = dashboard_url(url, organization_id, dashboard, buckets["data"], interval)
        context["ti"].xcom_push(key=LINKS_XCOM_KEY, value=links)

    def _interval_at_start(self, context: Context) -> Interval | None:
        of_run: Callable[[Context], Interval] | None = getattr(self, "interval", None)
        try:
            return None if of_run is None else of_run(context)
        except AirflowFailException:
            # its run names none: a reconcile looks back from now
            return None

    def _refuse_foreign(self, given: dict[str, Any]) -> None:
        """Refuse what this stage does not read, instead of ignoring it.

        :param given: parameters that no class of the stage has taken
        :raises ConfigurationError: naming them
        """
        stage = f"{type(self).__name__} {given.get('task_id')!r}"
        # False is what happens
        if given.pop("deferrable", None):
            what = f"{stage} cannot be deferred: it waits for nothing, and its work needs a worker"
            fix = "leave deferrable out here; in default_args it reaches only the tasks that take it"
            raise ConfigurationError(what, written="nothing", fix=fix)
        if is_auto(given.get("outlets")):
            what = f"{stage} writes nothing that an asset could stand for"
            raise ConfigurationError(what, written="nothing", fix='leave outlets="auto" out here')
        foreign = [name for name in OF_SOME_STAGES if name in given]
        if foreign:
            what = f"{stage} does not take {', '.join(foreign)}, which would have no effect"
            fix = f"leave {'it' if len(foreign) == 1 else 'them'} out here"
            raise ConfigurationError(what, written="nothing", fix=fix)

    def _report(self, report: Report) -> None:
        log = self.log.warning if report.level == "warning" else self.log.info
        log("%s", report.message)

    @contextmanager
    def _observed(self, code: Mapping[str, str], elsewhere_seconds: float = 0.0) -> Iterator[Observed]:
        """Watch a verb that runs here.

        :param code: which code of DAGs it was made of
        :param elsewhere_seconds: how long it has worked in the triggerer
        """
        self._is_running = True
        try:
            tell = partial(self.log.info, "%s")
            with observed(self.verb, tell, code=code, elsewhere_seconds=elsewhere_seconds) as seen:
                yield seen
        finally:
            self._is_running = False

    def lateness_of_windows(self) -> timedelta:
        """How long after its stop a window is ready: what the metric of its latency counts from."""
        from airflow_provider_influx_rollup.windows.duration import Duration

        lateness = getattr(self, "lateness", None)
        return Duration.of(lateness or "0s", allow_zero=True).timedelta
