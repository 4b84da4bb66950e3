"""Say how late the points of pipelines came, and which lateness would have caught them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.data_interval import interval_of_task
from airflow_provider_influx_rollup.declared_values import declared_duration
from airflow_provider_influx_rollup.ledger.lateness import LATENESS_MEASUREMENT
from airflow_provider_influx_rollup.lineage.datasets import Flow, Measurement
from airflow_provider_influx_rollup.operators._ledger import LEDGER_FIELDS, LedgerStageOperator
from airflow_provider_influx_rollup.operators._window import WindowStageOperator
from airflow_provider_influx_rollup.task_failures import failing_by_permanence
from airflow_provider_influx_rollup.windows.duration import DurationLike, flux_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airflow_provider_influx_rollup.airflow_compat import Context
    from airflow_provider_influx_rollup.lifecycle.lateness.lateness import LatenessSpec
    from airflow_provider_influx_rollup.lifecycle.lateness.result import LatenessReport
    from airflow_provider_influx_rollup.steps.step import Steps
    from airflow_provider_influx_rollup.windows.interval import Interval


class LatenessReportOperator(WindowStageOperator, LedgerStageOperator):
    """Report how late points came after their windows, and the ``lateness`` that would have caught 99 % and 99.9 %.

    InfluxDB does not keep when a point arrived. Rollups that are run again and reconciles record in the ledger how many
    points a committed window had gained, and between which times; so every number comes with a lower and an upper bound.
    The task reads some thousand rows and waits for nothing.

    Returns ``{"interval", "rows", "rows_left_out", "unwatched_windows", "notes", "picture"}``; each row has ``pipeline``,
    ``measurement``, ``tags``, ``windows``, ``points``, ``late_points``, ``late_share``, ``lateness``, ``late`` (quantiles of
    the late points), ``caught`` (the share that usual settings catch) and ``settings`` (what 99 % and 99.9 % need).

    :param pipeline: name in the ledger; default: every rollup of raw points that the ledger knows
    :param lookback: how long before the interval's stop windows are looked at, a Flux duration
    :param group_by: tag keys; each combination of their values becomes a row. Late points have tags where a reconcile
        found them and the rollup stores ``count``
    :param watched_within: windows that were first committed more than this after their stop and lateness, as in a
        backfill, are left out, a Flux duration
    :param path: PNG file to draw, unless ``dry_run``; needs the extra ``pictures``
    """

    verb: ClassVar[str] = "lateness"
    template_fields: Sequence[str] = (
        *WindowStageOperator.template_fields,
        *LEDGER_FIELDS,
        "lookback",
        "group_by",
        "watched_within",
        "path",
    )

    def __init__(
        self,
        *,
        lookback: DurationLike = "30d",
        group_by: Sequence[str] | None = None,
        watched_within: DurationLike = "1d",
        path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.lookback = declared_duration(lookback)
        self.group_by = group_by
        self.watched_within = declared_duration(watched_within)
        self.path = path

    def execute(self, context: Context) -> dict[str, Any]:
        """Report on the windows of the lookback.

        :param context: Airflow's context
        :return: the findings
        """
        from airflow_provider_influx_rollup.lifecycle.lateness.lateness import report_lateness
        from airflow_provider_influx_rollup.pictures.files import require_pictures
        from airflow_provider_influx_rollup.pictures.lateness import draw_lateness

        path = None if self.is_dry_run else self.path
        with failing_by_permanence():
            if path:
                require_pictures()
            spec, interval = self.spec(), self.lookback_interval(context)
        found: list[LatenessReport] = []

        def make_steps(clock: Callable[[], datetime]) -> Steps[LatenessReport]:
            report = yield from report_lateness(spec, interval, clock())
            found.append(report)
            return report

        result = self.run_verb(context, make_steps)
        for line in found[0].as_lines():
            self.log.info("%s", line)
        with failing_by_permanence():
            result["picture"] = str(draw_lateness(found[0], path)) if path else None
        return result

    def flows(self, results: Sequence[Mapping[str, Any]]) -> Sequence[Flow]:  # noqa: ARG002 - of its base
        """From the ledger, and the picture is no data."""
        return [Flow([Measurement(str(self.ledger_bucket), LATENESS_MEASUREMENT)])]

    def spec(self) -> LatenessSpec:
        """The report as plain values.

        :raises InvalidDuration: when ``watched_within`` is none
        """
        from airflow_provider_influx_rollup.lifecycle.lateness.lateness import LatenessSpec

        keys = (self.group_by,) if isinstance(self.group_by, str) else tuple(self.group_by or ())
        return LatenessSpec(
            pipelines=(self.pipeline,) if self.pipeline else None,
            group_by=keys,
            watched_within=flux_text(self.watched_within),
            ledger_bucket=self.ledger_bucket,
        )

    def lookback_interval(self, context: Context) -> Interval:
        """The lookback before the stop of the run's interval; a run that names one instant only ends there.

        :param context: Airflow's context
        :raises WindowError: when nothing names a time
        """
        from airflow_provider_influx_rollup.windows.duration import Duration
        from airflow_provider_influx_rollup.windows.interval import Interval
        from airflow_provider_influx_rollup.windows.local_time import shift

        run = interval_of_task(self, context, window=self.window or self.lookback)
        lookback = Duration.of(self.lookback)
        return Interval(shift(run.stop, lookback, self.timezone, backwards=True), run.stop)
