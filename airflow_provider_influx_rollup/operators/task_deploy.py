"""Deploy a task that InfluxDB runs itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.declared_values import declared_duration
from airflow_provider_influx_rollup.operators._flux_template import FluxTemplateOperator
from airflow_provider_influx_rollup.operators._options import plain_truth, truth
from airflow_provider_influx_rollup.task_failures import failing_by_permanence
from airflow_provider_influx_rollup.windows.duration import DurationLike, flux_text

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.airflow_compat import Context
    from airflow_provider_influx_rollup.lifecycle.task_deploy.spec import TaskSpec
    from airflow_provider_influx_rollup.lifecycle.task_deploy.task_deploy import DeployResult
    from airflow_provider_influx_rollup.steps.step import Steps


class InfluxTaskDeployOperator(FluxTemplateOperator):
    """Bring a task into InfluxDB as its script says; doing so twice changes nothing.

    The script is checked before InfluxDB keeps it. Where it reads ``v.timeRangeStart`` and the like, which InfluxDB defines
    for dashboards only, it gets a ``v``: the window that ends with the run. The task's description tells the DAG, the
    pipeline and the script's SHA-256; a task that somebody has changed by hand is left alone unless ``overwrite`` is set.

    Returns ``{"task", "task_id", "action", "changes", "lines_added", "lines_removed", "status", "script", "dry_run"}``;
    ``action`` is ``created``, ``updated``, ``adopted``, ``deleted``, ``unchanged``, or with ``dry_run`` ``drifted``. The
    unified diff is in the log.

    :param flux: the script with its ``option task``, or the path of a ``.flux`` file; a template, see
        ``FluxTemplateOperator``; not needed with ``state="absent"``
    :param params_flux: values of ``params.<name>``, which become a part of the task's script: no secrets
    :param name: the task's name; must be that of ``option task``, which is the default
    :param state: ``"active"``, ``"inactive"`` (paused), or ``"absent"`` (deleted)
    :param pipeline: what the description calls the pipeline
    :param every: length of the windows of ``v``, a Flux duration; default: the ``every`` of ``option task``
    :param timezone: IANA zone in which windows of days, months and years begin
    :param on_raw_read: when the script's plan reads raw points: ``"fail"``, ``"warn"`` or ``"allow"``
    :param overwrite: replace or delete the task even when it was changed by hand, or is not of a deploy
    :param dry_run: log the difference, and change nothing
    """

    verb: ClassVar[str] = "task_deploy"
    template_fields: Sequence[str] = (
        *FluxTemplateOperator.template_fields,
        "flux",
        "params_flux",
        "name",
        "state",
        "pipeline",
        "every",
        "timezone",
        "overwrite",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"flux": "sql", "params_flux": "json"}
    ui_color = "#f8f0e4"

    def __init__(
        self,
        *,
        flux: str | None = None,
        name: str | None = None,
        state: str = "active",
        pipeline: str | None = None,
        every: DurationLike | None = None,
        timezone: str = "UTC",
        on_raw_read: str = "warn",
        overwrite: bool | str = False,
        dry_run: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(flux=flux, **kwargs)
        self.name = name
        self.state = state
        self.pipeline = pipeline
        self.every = declared_duration(every)
        self.timezone = timezone
        self.on_raw_read = on_raw_read
        self.overwrite = overwrite
        # BaseOperator has a method dry_run() that renders the templates
        self.is_dry_run = plain_truth("dry_run", dry_run)

    def execute(self, context: Context) -> dict[str, Any]:
        """Deploy the task.

        :param context: Airflow's context
        :raises AirflowFailException: for permanent errors
        :raises InfluxRollupError: for transient ones, which Airflow retries
        """
        with failing_by_permanence():
            spec = self.spec(str(getattr(context.get("ti"), "dag_id", "") or ""))

        def make_steps(now: Callable[[], datetime]) -> Steps[DeployResult]:
            from airflow_provider_influx_rollup.lifecycle.task_deploy.task_deploy import deploy_task

            return deploy_task(spec, now, dry_run=self.is_dry_run)

        return self.run_verb(context, make_steps)

    def spec(self, dag_id: str = "") -> TaskSpec:
        """The task as plain values.

        :param dag_id: the DAG that deploys it
        :raises ConfigurationError: when a parameter is not possible
        """
        from airflow_provider_influx_rollup.lifecycle.task_deploy.spec import TaskSpec

        return TaskSpec(
            flux=None if self.flux is None else str(self.flux),
            name=self.name,
            state=self.state,
            every=flux_text(self.every),
            timezone=self.timezone,
            pipeline=self.pipeline,
            dag_id=dag_id,
            params=self.script_params(),
            overwrite=truth("overwrite", self.overwrite),
            on_raw_read=self.on_raw_read,  # type: ignore[arg-type] # the spec refuses others
        )
