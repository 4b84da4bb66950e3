"""Find the windows of a rollup that are no longer right, and repair them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.data_interval import run_info
from airflow_provider_influx_rollup.declared_values import declared_duration, is_plain
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.reconcile.spec import PLAN, ReconcileOptions, ReconcileSpec
from airflow_provider_influx_rollup.lineage.counted import Counted
from airflow_provider_influx_rollup.lineage.datasets import Flow, Measurement
from airflow_provider_influx_rollup.operators._declared import DeclaredRollupOperator
from airflow_provider_influx_rollup.operators._deferrable import DeferrableVerbOperator
from airflow_provider_influx_rollup.operators._pipeline_assets import PipelineAssetsOperator
from airflow_provider_influx_rollup.settings import read_settings
from airflow_provider_influx_rollup.task_failures import failing_by_permanence
from airflow_provider_influx_rollup.windows.duration import DurationLike, flux_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airflow_provider_influx_rollup.airflow_compat import Context
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
    from airflow_provider_influx_rollup.lifecycle.reconcile.result import ReconcileResult
    from airflow_provider_influx_rollup.steps.step import Steps

DIRTY_XCOM_KEY = "dirty_windows"
OWN_PARAMETERS = ("source_bucket", "target_bucket", "measurement", "every", "aggregates")
# what else a rollup can have: of a pipeline that is named, the ledger has it
WITH_OWN_ONLY = ("period", "fields", "tags", "group_by", "target_measurement", "source_tier")


class FluxReconcileOperator(DeclaredRollupOperator, PipelineAssetsOperator, DeferrableVerbOperator):
    """Compare the rows of a rollup with its source, and write only the series and windows that differ.

    The rows of a window (count, sum, min, max, first, last of each series) are its fingerprint: InfluxDB computes them again
    from the source, and every stored row is compared, bit by bit. What differs is written, rows that nothing explains
    are removed, and the windows are committed again, with the reason. Windows that were never rolled up are rolled up. Then
    the same time of every higher tier is looked at. Windows that are right are not touched.

    Returns ``{"pipeline", "source_bucket", "measurement", "target_bucket", "target_measurement", "mode", "window", "windows", "dirty_total", "dirty": [{"window", "reasons", "series"}],
    "dirty_windows", "repaired", "unsettled", "frozen", "waiting", "failed", "remaining", "is_clean", "cascaded",
    "seconds", "notes"}``; lists hold at most 100 windows, ``dirty_windows`` 500. ``dirty_windows`` is also an XCom of its
    own. For dynamic task mapping a task has to return it: Airflow does not map over XComs with a name.

    :param pipeline: name in the ledger; or give the rollup's own parameters, in place of what the ledger has
    :param lifecycle: in place of both: its first tier is reconciled, and the tiers above are looked at as it declares them,
        whatever the ledger has; of several measurements ``measurement`` names one
    :param lookback: how far back from now windows are looked at, to the last one that is due, a Flux duration; without
        it ``start`` and ``stop``, or the run's data interval
    :param mode: ``"repair"``, or ``"plan"``, which writes nothing
    :param cascade: whether the windows of the tiers above that hold rows of the same time are reconciled too
    :param max_windows: most windows of the pipeline that one run repairs, the oldest first
    :param strict: True computes every aggregate again; False those of the raw points only in rows that differ otherwise;
        None does so for the fields whose count, sum, min, max, first and last are all stored
    :raises ConfigurationError: (when the DAG is parsed) when no pipeline is named, or a choice is not possible
    """

    verb: ClassVar[str] = "reconcile"
    template_fields: Sequence[str] = (
        *DeclaredRollupOperator.template_fields,
        "lookback",
        "mode",
        "max_windows",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"aggregates": "json", "tags": "json"}
    ui_color = "#e4f1e4"

    def __init__(
        self,
        *,
        lifecycle: Lifecycle | None = None,
        lookback: DurationLike | None = None,
        mode: str = "repair",
        cascade: bool = True,
        max_windows: int | str | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.lifecycle = lifecycle
        self.lookback = declared_duration(lookback)
        self.mode = mode
        self.cascade = cascade
        self.max_windows = max_windows
        self.strict = strict
        self._require_one_rollup()
        self.settle_outlets()

    def execute(self, context: Context) -> dict[str, Any]:
        """Reconcile the pipeline.

        :param context: Airflow's context
        :return: what was found and done, as small JSON
        :raises AirflowFailException: for permanent errors
        :raises InfluxRollupError: for transient ones, which Airflow retries
        """
        spec = self.reconcile_spec()
        interval = None if spec.lookback is not None else self.interval(context)
        if self.deferrable:
            self.defer_verb(context, spec.as_json(), [] if interval is None else [interval])

        def make_steps(now: Callable[[], datetime]) -> Steps[ReconcileResult]:
            from airflow_provider_influx_rollup.lifecycle.reconcile.reconcile import reconcile_pipeline

            return reconcile_pipeline(spec, interval, run_info(context), now)

        return self.react(context, self.run_verb(context, make_steps))

    @failing_by_permanence()
    def reconcile_spec(self) -> ReconcileSpec:
        """The request as plain values.

        :raises AirflowFailException: when a parameter is not possible
        """
        most: Any = self.max_windows
        if isinstance(most, str) and most.isdigit():
            most = int(most)  # a template always gives a text
        rollup, above = self._declared()
        return ReconcileSpec(
            pipeline=self.pipeline or "",
            ledger_bucket=self.ledger_bucket if self.lifecycle is None else self.lifecycle.ledger_bucket,
            rollup=rollup,
            above=above,
            lookback=flux_text(self.lookback),
            cascade=self.cascade,
            options=ReconcileOptions(PLAN if self.is_dry_run else self.mode, self.strict, most),
        )

    def _declared(self) -> tuple[RollupSpec | None, tuple[RollupSpec, ...]]:
        """The rollup as the DAG declares it, and the tiers above it; none when the ledger is asked."""
        if self.lifecycle is not None:
            one = self.lifecycle.of_measurement(str(self.measurement or self.lifecycle.names[0]))
            most = read_settings().max_rows_per_read
            lowest, *above = [replace(spec, max_rows_per_read=most) for spec in one.specs()]
            return lowest, tuple(above)
        if not self.source_bucket:
            return None, ()
        name = str(self.measurement)
        return self.declared_rollup(name, pipeline=self.pipeline, source_tier=self.source_tier), ()

    def _require_one_rollup(self) -> None:
        """Tell people when the DAG is parsed that nothing names a rollup, or half of one."""
        given = [name for name in OWN_PARAMETERS if getattr(self, name)]
        if self.lifecycle is not None:
            self._require_only_lifecycle(self.lifecycle, given)
            self._require_choices()
            return
        lacking = [name for name in OWN_PARAMETERS if not getattr(self, name)]
        if not given and not self.pipeline:
            what = "no pipeline is named"
            fix = "give pipeline=, the name that the ledger has, or the rollup's own parameters"
            raise ConfigurationError(what, written="nothing", fix=fix)
        if given and lacking:
            what = f"{', '.join(given)} are given without {', '.join(lacking)}"
            fix = "give all of the rollup's parameters, or only pipeline="
            raise ConfigurationError(what, written="nothing", fix=fix)
        if not given:
            self._require_no_rollup()
        self._require_choices()

    def _require_only_lifecycle(self, lifecycle: Lifecycle, given: Sequence[str]) -> None:
        """Refuse parts of a rollup beside a lifecycle, and a lifecycle of which it is unknown what is meant."""
        beside = [
            *(["pipeline"] if self.pipeline else []),
            *(name for name in given if name != "measurement"),
        ]
        if beside:
            what = f"{', '.join(beside)} would have no effect: the lifecycle declares its tiers"
            raise ConfigurationError(what, written="nothing", fix="leave out one or the other")
        if not self.measurement and (lifecycle.patterns or len(lifecycle.names) > 1):
            what = f"the lifecycle is about {', '.join(map(repr, lifecycle.names))}"
            raise ConfigurationError(what, written="nothing", fix="name one measurement= of it")

    def _require_choices(self) -> None:
        self._require_one_interval()
        if is_plain(self.mode):
            ReconcileOptions(self.mode)

    def _require_no_rollup(self) -> None:
        """Refuse parts of a rollup beside a pipeline's name: the ledger's are read in their place."""
        more = [name for name in WITH_OWN_ONLY if getattr(self, name) is not None]
        more += ["compute"] if self.compute != "auto" else []
        if more:
            what = f"{', '.join(more)} would have no effect: of pipeline {self.pipeline!r} the ledger has all"
            fix = f"leave {'it' if len(more) == 1 else 'them'} out, or give all of the rollup's parameters"
            raise ConfigurationError(what, written="nothing", fix=fix)

    def _require_one_interval(self) -> None:
        edges = [name for name in ("start", "stop") if getattr(self, name) and is_plain(getattr(self, name))]
        if self.lookback is not None and edges:
            what = f"{' and '.join(edges)} would have no effect beside lookback, which counts back from now"
            raise ConfigurationError(what, written="nothing", fix="give start and stop, or lookback")

    def flows(self, results: Sequence[Mapping[str, Any]]) -> Sequence[Flow]:
        """From the source of the pipeline, its rows, and from them those of the tiers that were looked at."""
        if not results and self.lifecycle is not None:
            lowest, above = self._declared()
            specs = [one for one in (lowest, *above) if one is not None]
            return [
                Flow(
                    [Measurement(one.source_bucket, one.measurement) for one in specs],
                    [Measurement(one.target_bucket, one.output_measurement) for one in specs],
                )
            ]
        if not results:
            return self.declared_flows()
        tiers = [results[0], *results[0]["cascaded"]]
        places = [
            (
                Measurement(tier["source_bucket"], tier["measurement"]),
                Measurement(tier["target_bucket"], tier["target_measurement"]),
            )
            for tier in tiers
        ]
        return [Flow([place[0] for place in places], [place[1] for place in places])]

    def counted(self, result: Mapping[str, Any]) -> Counted:
        """Rows that were written again, here and in the tiers above."""
        return Counted(rows_out=[tier["repaired"]["rows"] for tier in (result, *result["cascaded"])])

    def react(self, context: Context, result: dict[str, Any]) -> dict[str, Any]:
        """Log what people should see, and give the dirty windows an XCom of their own."""
        context["ti"].xcom_push(key=DIRTY_XCOM_KEY, value=result[DIRTY_XCOM_KEY])
        for one in (result, *result["cascaded"]):
            self.log.info(
                "%s: %s of %s windows were dirty", one["pipeline"], one["dirty_total"], one["windows"]
            )
            for kind in ("frozen", "waiting", "unsettled"):
                for left in one[kind]:
                    self.log.warning("%s, %s: %s", one["pipeline"], kind, left)
        return result
