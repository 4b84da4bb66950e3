"""Compact archived windows into larger ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.airflow_compat import Context
from airflow_provider_influx_rollup.assets.names import archive_uri
from airflow_provider_influx_rollup.data_interval import run_info
from airflow_provider_influx_rollup.declared_values import declared_duration
from airflow_provider_influx_rollup.lineage.datasets import Flow
from airflow_provider_influx_rollup.operators._held_assets import HeldAssetsOperator
from airflow_provider_influx_rollup.operators._options import texts, truth
from airflow_provider_influx_rollup.operators._window import WINDOW_FIELDS, WindowStageOperator
from airflow_provider_influx_rollup.operators.archive import InfluxArchiveOperator
from airflow_provider_influx_rollup.stores.store_url import shown_url
from airflow_provider_influx_rollup.task_failures import failing_by_permanence
from airflow_provider_influx_rollup.windows.duration import DurationLike, flux_text

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.announce.held import Held
    from airflow_provider_influx_rollup.lifecycle.compact.spec import CompactResult, CompactSpec
    from airflow_provider_influx_rollup.steps.step import Steps
    from airflow_provider_influx_rollup.windows.interval import Interval


class CompactArchiveOperator(WindowStageOperator, HeldAssetsOperator, InfluxArchiveOperator):
    """Merge the files of small archived windows into those of larger ones, which are proven to hold the same points.

    The large windows are those that end in the run's interval, or with ``delay`` so much before. Each is joined from the newest generations inside it, read
    back from its files, and compared with their manifests field by field. Only then its manifest appears. Readers take
    each point once, before and after; a small window that is archived again counts in its place until the next run. A
    rerun that finds nothing new makes nothing. No points are read from the bucket. The task waits for nothing.

    Returns ``{"window", "windows", "small_windows", "waiting", "rows_out", "bytes", "checksum", "generation", "new",
    "removed", "state", "path", "dry_run", "seconds", "pipeline"}``; a list of these for a list of measurements.

    :param into: length of a large window, a Flux duration such as ``1d`` or ``1mo``; ``offset`` and ``timezone`` are those
        of the large windows
    :param min_age: how long ago a large window must have ended, a Flux duration; younger ones wait
    :param delay: compact the large windows whose end + delay lies in the run's interval, a Flux duration such as ``30d`` or
        ``1mo``
    :param remove_small: remove the files of small windows that were purged, as the large ones hold their points; manifests stay
    :raises ConfigurationError: when a parameter is not possible
    """

    verb: ClassVar[str] = "compact"
    asset_fields: ClassVar[Sequence[str]] = (*HeldAssetsOperator.asset_fields, "path")
    template_fields: Sequence[str] = (
        *InfluxArchiveOperator.template_fields,
        *WINDOW_FIELDS,
        "into",
        "min_age",
        "delay",
        "remove_small",
    )
    ui_color = "#e4e8f8"

    def __init__(
        self,
        *,
        into: DurationLike,
        min_age: DurationLike = "1d",
        delay: DurationLike | None = None,
        remove_small: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.into = declared_duration(into)
        self.min_age = declared_duration(min_age)
        self.delay = declared_duration(delay)
        self.remove_small = remove_small
        self.settle_outlets()

    def asset_uris(self) -> list[str]:
        """The folder of each measurement in the archive."""
        return [archive_uri(self.path, self.bucket, name, org=self.org) for name in texts(self.measurement)]

    def held(self) -> list[Held]:
        """The large windows of each measurement."""
        from airflow_provider_influx_rollup.lifecycle.announce.held import Held

        results: list[CompactResult] = self.outcomes
        return [
            Held(uri=uri, pipeline=one.spec.pipeline, stage=self.verb, windows=one.held())
            for uri, one in zip(self.asset_uris(), results, strict=True)
        ]

    def execute(self, context: Context) -> Any:
        """Compact the large windows that end in the interval of the run.

        :param context: Airflow's context
        :return: what was made
        """
        interval = self.interval(context)
        with failing_by_permanence():
            specs = self.compact_specs()
        return self.run_each(context, [partial(self._steps, context, spec, interval) for spec in specs])

    def flows(self, results: Sequence[Mapping[str, Any]]) -> Sequence[Flow]:  # noqa: ARG002 - of its base
        """From the files of a measurement, larger ones in the same folder."""
        folders = [self.folder_of(self.bucket, name) for name in texts(self.measurement)]
        return [Flow([folder], [folder]) for folder in folders]

    def compact_specs(self) -> list[CompactSpec]:
        """One compaction for each measurement.

        :raises ConfigurationError: when a parameter is not possible
        """
        from airflow_provider_influx_rollup.lifecycle.compact.spec import CompactSpec

        names = texts(self.measurement)
        return [
            CompactSpec(
                org=self.hook.settings.org,
                bucket=self.bucket,
                measurement=name,
                shown_path=shown_url(str(self.path)),
                into=flux_text(self.into),
                offset=flux_text(self.offset),
                timezone=self.timezone,
                min_age=flux_text(self.min_age),
                delay=flux_text(self.delay) or "0s",
                remove_small=truth("remove_small", self.remove_small),
                ledger_bucket=self.ledger_bucket,
                name=self.pipeline_of(name, several=len(names) > 1),
            )
            for name in names
        ]

    def _steps(
        self, context: Context, spec: CompactSpec, interval: Interval, now: Callable[[], datetime]
    ) -> Steps[Any]:
        from airflow_provider_influx_rollup.lifecycle.compact.compact import compact
        from airflow_provider_influx_rollup.stores.versions import file_versions

        return compact(spec, interval, run_info(context), now, file_versions(), dry_run=self.is_dry_run)
