"""Roll up windows of telemetry: by declaration, or with the user's own Flux script."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.airflow_compat import AirflowSkipException
from airflow_provider_influx_rollup.data_interval import run_info
from airflow_provider_influx_rollup.declared_values import is_plain
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import AUTO, EMPTY_CHOICES
from airflow_provider_influx_rollup.lifecycle.pipeline.window_choice import COMPLETE, TILED, require_choice
from airflow_provider_influx_rollup.lifecycle.run.options import QUERY
from airflow_provider_influx_rollup.lineage.counted import Counted
from airflow_provider_influx_rollup.lineage.datasets import Flow
from airflow_provider_influx_rollup.operators._declared import DeclaredRollupOperator
from airflow_provider_influx_rollup.operators._deferrable import DeferrableVerbOperator
from airflow_provider_influx_rollup.operators._flux_template import TEMPLATE_FIELDS, FluxTemplateOperator
from airflow_provider_influx_rollup.operators._options import OPTIONS
from airflow_provider_influx_rollup.operators._pipeline_assets import PipelineAssetsOperator
from airflow_provider_influx_rollup.operators._rollup_options import RollupOptionsOperator
from airflow_provider_influx_rollup.operators._several import each_in_turn
from airflow_provider_influx_rollup.task_failures import failing_by_permanence
from airflow_provider_influx_rollup.windows.duration import DurationLike, flux_text

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.airflow_compat import Context
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
    from airflow_provider_influx_rollup.lifecycle.rollup_script.rollup_script import ScriptSpec
    from airflow_provider_influx_rollup.lifecycle.run.stage_result import StageResult
    from airflow_provider_influx_rollup.steps.step import Steps
    from airflow_provider_influx_rollup.windows.interval import Interval

DECLARED_ONLY = (
    "source_bucket",
    "aggregates",
    "fields",
    "tags",
    "group_by",
    "target_measurement",
    "period",
    "source_tier",
)
# template fields that say nothing about what is rolled up
OF_THE_RUN = (
    "influx_conn_id",
    "org",
    "start",
    "stop",
    "window",
    "environment",
    "flux",
    "params_flux",
    *OPTIONS,
)


class FluxRollupOperator(
    RollupOptionsOperator,
    FluxTemplateOperator,
    DeclaredRollupOperator,
    PipelineAssetsOperator,
    DeferrableVerbOperator,
):
    """Aggregate the windows of the run's data interval into a target bucket, so that a rerun is always right.

    Give ``measurement``, ``every`` and ``aggregates``, or your own script in ``flux``, not both. Each window is
    written, read back, compared with the source and then committed in the ledger; rows the source no longer
    explains are removed.

    :param source_bucket: bucket of the raw points
    :param target_bucket: bucket of the rollup; must exist
    :param measurement: measurement to roll up, or a list of them
    :param every: length of a window of the grid, a Flux duration such as ``1h``
    :param lateness: how long after a window's stop its data may still come, a Flux duration; an early run waits
    :param aggregates: names for all fields, or per field glob: count, sum, min, max, mean, first, last, median,
        stddev, spread, distinct, integral, increase and resets of counters, quantiles such as p99, and the mergeable
        sketches p99_approx and distinct_approx
    :param empty_windows: what a window without points does: ``"commit"`` it, ``"skip"`` the task, or ``"fail"``
    :param windows: which windows a run is about: ``"tiled"``: those that make its interval exactly; ``"ending"``: those
        that stop in it, so that an hourly DAG can have a daily rollup; ``"complete"`` (with ``source_tier``): also those
        that the tier below has completed by this run. Without such a window the task is skipped
    :param flux: the user's own script, or the path of a ``.flux`` file; a template, see ``FluxTemplateOperator``
    :param params_flux: values bound as ``params.<name>`` in the script
    :param on_raw_read: when the script's plan reads raw points: ``"fail"``, ``"warn"`` or ``"allow"``
    :raises ConfigurationError: (when the DAG is parsed) when the parameters contradict each other
    """

    verb: ClassVar[str] = "rollup"
    template_fields: Sequence[str] = (
        *DeclaredRollupOperator.template_fields,
        *OPTIONS,
        *TEMPLATE_FIELDS,
        "flux",
        "params_flux",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "flux": "sql",
        "aggregates": "json",
        "tags": "json",
        "params_flux": "json",
    }

    def __init__(
        self,
        *,
        target_bucket: str,
        source_bucket: str | None = None,
        measurement: str | Sequence[str] | None = None,
        every: DurationLike | None = None,
        lateness: DurationLike | None = None,
        aggregates: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
        empty_windows: str = "commit",
        windows: str = "tiled",
        on_raw_read: str = "warn",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            target_bucket=target_bucket,
            source_bucket=source_bucket,
            measurement=measurement,
            every=every,
            lateness=lateness,
            aggregates=aggregates,
            **kwargs,
        )
        self.empty_windows = empty_windows
        self.windows = windows
        self.on_raw_read = on_raw_read
        self.has_lateness = lateness is not None
        self._check_when_parsed()
        self.settle_outlets()

    def execute(self, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        """Roll up the run's windows.

        :param context: Airflow's context
        :return: small JSON: windows, rows in and out, series, checksum, generation, state; a list for a list of
            measurements
        :raises AirflowFailException: for permanent errors
        :raises InfluxRollupError: for transient ones, which Airflow retries
        """
        interval = self.interval(context)
        if self.flux is not None:
            return self._execute_script(context, interval)
        specs = self._with_windows(context, self.specs(), interval)
        if self.deferrable and not self.is_dry_run:
            if len(specs) == 1:
                spec, part = specs[0]
                self.defer_verb(context, {**spec.as_json(), "options": self.options().as_json()}, [part])
            # the triggerer runs one verb for a task: several wait there only
            self.defer_until_due(context, max(part.stop for _, part in specs), self.lateness)
        return self._execute_specs(context, specs)

    def execute_due(
        self,
        context: Context,
        event: object = None,  # noqa: ARG002 - Airflow's signature
    ) -> dict[str, Any] | list[dict[str, Any]]:
        """Roll up the run's windows, now that they are due.

        :param context: Airflow's context
        :param event: not used: it says that the time has come
        :return: as of ``execute``
        """
        return self._execute_specs(context, self._with_windows(context, self.specs(), self.interval(context)))

    def _execute_specs(
        self, context: Context, specs: Sequence[tuple[RollupSpec, Interval]]
    ) -> dict[str, Any] | list[dict[str, Any]]:
        results = each_in_turn(
            [partial(self._execute_spec, context, spec, part) for spec, part in specs],
            fails_fast=self.options().fails_fast,
            tell=partial(self.log.error, "%s"),
        )
        self._skip_when_empty(results)
        return results[0] if isinstance(self.measurement, str) else results

    @failing_by_permanence()
    def specs(self) -> list[RollupSpec]:
        """The rollups as plain values, one for each measurement.

        :raises AirflowFailException: when a parameter is not possible
        """
        return self._specs()

    def known_specs(self) -> list[RollupSpec]:
        """The rollups, as far as they are known without a run.

        :raises ConfigurationError: when a parameter waits for Jinja or another task, or the task runs a script
        """
        if self.flux is not None:
            what = "it runs a script, and what that reads is known in a run only"
            raise ConfigurationError(what, fix="use dry_run=True in a run")
        names = [name for name in self.template_fields if name not in OF_THE_RUN]
        unknown = [name for name in names if not is_plain(getattr(self, name))]
        if unknown:
            what = f"{', '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} rendered in a run only"
            raise ConfigurationError(what, fix="use dry_run=True in a run")
        return self._specs()

    def _specs(self) -> list[RollupSpec]:
        self._require_declared()
        names = [self.measurement] if isinstance(self.measurement, str) else list(self.measurement or ())
        specs = [self._spec(name, several=len(names) > 1) for name in names]
        require_choice(self.windows, specs[0])
        return specs

    @failing_by_permanence()
    def _with_windows(
        self, context: Context, specs: Sequence[RollupSpec], interval: Interval
    ) -> list[tuple[RollupSpec, Interval]]:
        """The rollups that have windows in this run, each with its interval."""
        if self.windows == TILED:
            return [(spec, interval) for spec in specs]
        from airflow_provider_influx_rollup.client.driver import drive
        from airflow_provider_influx_rollup.lifecycle.pipeline.run_windows import interval_to_run

        found = []
        reasons = []
        for spec in specs:
            steps = interval_to_run(spec, interval, self.windows)
            part, reason = drive(steps, self.hook.get_conn(), self._report)
            part = self._with_completed_before(context, spec, interval, part)
            if part is None:
                reasons.append(reason)
            else:
                found.append((spec, part))
        if not found:
            raise AirflowSkipException("; ".join(reasons))
        return found

    def _with_completed_before(
        self, context: Context, spec: RollupSpec, interval: Interval, own: Interval | None
    ) -> Interval | None:
        """The windows of a tier with the one that this run's heal of the tier below has completed; None without any.

        :param own: those that the run has anyway
        """
        from airflow_provider_influx_rollup.client.driver import drive
        from airflow_provider_influx_rollup.lifecycle.rollup.completed_before import completed_before
        from airflow_provider_influx_rollup.lifecycle.rollup.rollup_run import RollupRun
        from airflow_provider_influx_rollup.windows.interval import Interval

        options = self.options()
        if self.windows != COMPLETE or options.heal is None or self.is_dry_run:
            return own
        client = self.hook.get_conn()
        run = RollupRun(spec, run_info(context), client.now, options)
        before = drive(completed_before(run, own or interval, has_own=own is not None), client, self._report)
        return own if before is None else Interval.spanning([before, own or before])

    def _spec(self, measurement: str, *, several: bool) -> RollupSpec:
        tier = self.source_tier
        return self.declared_rollup(
            measurement,
            empty_windows=self.empty_windows,
            pipeline=self.pipeline_of(measurement, several=several),
            source_tier=f"{tier}:{measurement}" if several and tier not in (None, AUTO) else tier,
        )

    def _execute_spec(self, context: Context, spec: RollupSpec, interval: Interval) -> dict[str, Any]:
        def make_steps(now: Callable[[], datetime]) -> Steps[Any]:
            from airflow_provider_influx_rollup.lifecycle.plan.dry_run import with_plan
            from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up

            run, options = self._running(context), self.options()
            steps = roll_up(spec, interval, run, now, dry_run=self.is_dry_run, options=options)
            return with_plan(steps, spec, interval, now) if self.is_dry_run else steps

        return self.run_verb(context, make_steps)

    def _execute_script(self, context: Context, interval: Interval) -> dict[str, Any]:
        spec = self.script_spec()
        if self.deferrable and not self.is_dry_run:
            values = {**spec.as_json(), "options": self.options().as_json()}
            self.defer_verb(context, values, [interval], verb="rollup_script")

        def make_steps(now: Callable[[], datetime]) -> Steps[StageResult]:
            from airflow_provider_influx_rollup.lifecycle.rollup_script.rollup_script import roll_up_by_script

            run, options = run_info(context), self.options()
            return roll_up_by_script(spec, interval, run, now, dry_run=self.is_dry_run, options=options)

        return self.run_verb(context, make_steps)

    @failing_by_permanence()
    def script_spec(self) -> ScriptSpec:
        """The script form as plain values.

        :raises AirflowFailException: when a parameter is not possible
        """
        from airflow_provider_influx_rollup.lifecycle.rollup_script.rollup_script import ScriptSpec

        return ScriptSpec(
            script=str(self.flux),
            target_bucket=str(self.target_bucket),
            name=self.script_name or self.task_id,
            params=self.script_params(),
            grid=self.declared_grid() if self.every else None,
            lateness=flux_text(self.lateness) if self.has_lateness else None,
            on_raw_read=self.on_raw_read,  # type: ignore[arg-type]
            pipeline=self.pipeline,
            ledger_bucket=self.ledger_bucket,
            template_hash=self.template_hash,
        )

    def react(self, context: Context, result: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - of its base
        """Skip the task when there was no point and ``empty_windows="skip"``.

        :param context: Airflow's context
        :param result: of the windows
        :raises AirflowSkipException: when it is skipped
        """
        self._skip_when_empty([result])
        return result

    def flows(self, results: Sequence[Mapping[str, Any]]) -> Sequence[Flow]:  # noqa: ARG002 - of its base
        """From the source of each measurement, its rows; from the buckets that a script reads, its target."""
        return self.declared_flows() if self.flux is None else [self.script_flow(str(self.target_bucket))]

    def counted(self, result: Mapping[str, Any]) -> Counted:
        """Points read and values written."""
        return Counted(rows_in=result["rows_in"], rows_out=[result["rows_out"]])

    def _skip_when_empty(self, results: Sequence[Mapping[str, Any]]) -> None:
        if (
            self.empty_windows == "skip"
            and not any(result["rows_in"] for result in results)
            and self.flux is None
        ):
            what = f"no points in {results[0]['window']}"
            raise AirflowSkipException(what)

    def _check_when_parsed(self) -> None:
        """Tell people of contradictions when the DAG is parsed, as far as nothing is templated."""
        if self.flux is not None:
            self._require_script_only()
        elif self._is_rendered():
            self._require_native(self._specs())
        else:
            self._require_declared()

    def _require_script_only(self) -> None:
        names = ("measurement", *DECLARED_ONLY, "heal", "windows_per_block")
        declared = [name for name in names if getattr(self, name) is not None]
        declared += ["force"] if self.force else []
        declared += ["execution"] if self.execution != QUERY else []
        if declared:
            what = f"flux and {', '.join(declared)} are given: a script decides itself what it reads and computes"
            raise ConfigurationError(what, written="nothing", fix="give flux or measurement, not both")
        for name, default in (("windows", TILED), ("empty_windows", EMPTY_CHOICES[0])):
            if getattr(self, name) != default:
                what = f"{name}={getattr(self, name)!r} would have no effect on a script: it runs for all windows"
                raise ConfigurationError(what, written="nothing", fix=f"leave {name} out")
        if self.every is not None and self._is_rendered():
            self.declared_grid().grid()

    def _require_declared(self) -> None:
        names = ("source_bucket", "measurement", "every", "aggregates")
        missing = [name for name in names if not getattr(self, name)]
        if missing:
            what = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
            raise ConfigurationError(what, written="nothing", fix="give them, or your own script in flux")
        if self.target_measurement and not isinstance(self.measurement, str) and is_plain(self.measurement):
            what = "several measurements would be written into one target_measurement"
            raise ConfigurationError(what, written="nothing", fix="use one operator for each measurement")
        if self.params_flux is not None:
            what = "params_flux is given without flux"
            raise ConfigurationError(what, written="nothing", fix="params_flux belongs to a script in flux")

    def _is_rendered(self) -> bool:
        """Whether no parameter waits for Jinja or for another task's result."""
        values = [
            getattr(self, name)
            for name in self.template_fields
            if name not in ("environment", "flux", "params_flux")
        ]
        return all(is_plain(value) for value in values)
