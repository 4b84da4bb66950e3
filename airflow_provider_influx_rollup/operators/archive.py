"""Archive the windows of the data interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.airflow_compat import AirflowSkipException, Context
from airflow_provider_influx_rollup.assets.names import archive_uri
from airflow_provider_influx_rollup.data_interval import run_info
from airflow_provider_influx_rollup.declared_values import declared_duration
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.window_choice import ENDING, NO_WINDOW, TILED
from airflow_provider_influx_rollup.lineage.datasets import Flow, Measurement
from airflow_provider_influx_rollup.operators._deferrable import DeferrableStageOperator
from airflow_provider_influx_rollup.operators._options import texts, truth, whole_number
from airflow_provider_influx_rollup.operators._store import StoreStageOperator
from airflow_provider_influx_rollup.operators._store_assets import StoreAssetsOperator
from airflow_provider_influx_rollup.operators._window import WINDOW_FIELDS, WindowStageOperator
from airflow_provider_influx_rollup.settings import read_settings
from airflow_provider_influx_rollup.stores.store_url import shown_url
from airflow_provider_influx_rollup.task_failures import failing_by_permanence
from airflow_provider_influx_rollup.windows.duration import DurationLike, flux_text

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
    from airflow_provider_influx_rollup.steps.step import Steps
    from airflow_provider_influx_rollup.windows.interval import Interval


class InfluxArchiveOperator(StoreStageOperator):
    """Base of the stages of an archive that are about the bucket of its points.

    :param bucket: bucket of the points
    """

    template_fields: Sequence[str] = (*StoreStageOperator.template_fields, "bucket")
    ui_color = "#e4eef8"

    def __init__(self, *, bucket: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket

    def flows(self, results: Sequence[Mapping[str, Any]]) -> Sequence[Flow]:  # noqa: ARG002 - of its base
        """From the points of each measurement, its folder in the archive."""
        return [
            Flow([Measurement(self.bucket, name)], [self.folder_of(self.bucket, name)])
            for name in texts(self.measurement)
        ]


class SourceArchiveOperator(InfluxArchiveOperator):
    """Base of the stages that compare an archive with the points of the bucket.

    :param max_rows_per_read: most points that one query reads; the server needs some 28 bytes of memory for each
    """

    template_fields: Sequence[str] = (*InfluxArchiveOperator.template_fields, "max_rows_per_read")

    def __init__(self, *, max_rows_per_read: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_rows_per_read = max_rows_per_read

    def specs(self, **more: Any) -> list[ArchiveSpec]:
        """One archive for each measurement.

        :param more: other fields of the specs
        :raises ConfigurationError: when a parameter is not possible
        """
        from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec

        names = texts(self.measurement)
        rows = self.max_rows_per_read or read_settings().max_rows_per_read
        return [
            ArchiveSpec(
                org=self.hook.settings.org,
                bucket=self.bucket,
                measurement=name,
                shown_path=shown_url(str(self.path)),
                ledger_bucket=self.ledger_bucket,
                max_rows_per_read=whole_number("max_rows_per_read", rows),
                name=self.pipeline_of(name, several=len(names) > 1),
                **more,
            )
            for name in names
        ]


class ArchiveWindowOperator(
    WindowStageOperator, StoreAssetsOperator, SourceArchiveOperator, DeferrableStageOperator
):
    """Archive raw points of the data interval as Parquet files that are proven equal to the bucket.

    Each window is read in slices of bounded size, written, read back from the files and compared with a fresh read of the
    bucket. Only then its manifest appears, as a whole. A rerun makes a new generation only if the bucket has changed, and
    keeps the old one. The work is done in a worker, which has the files; waiting for late points needs none.

    Returns ``{"window", "windows", "rows_in", "rows_out", "bytes", "series", "checksum", "generation", "new",
    "begun_deletes", "state", "path", "seconds", "pipeline"}``; a list of these for a list of measurements.

    :param every: length of a window, a Flux duration; default: the data interval is one window
    :param windows: which windows of ``every`` a run is about: ``"tiled"``: those that make its interval exactly;
        ``"ending"``: those that stop in it, so that an hourly DAG can archive days. Without such a window the task is
        skipped
    :param lateness: how long after a window's stop its points may still come, a Flux duration; an early run waits
    :param force: archive what is left of windows that retention has begun to take; what is archived already stays
    :param deferrable: wait for the lateness of the last window in the triggerer, then archive in a worker; default:
        ``[influx_rollup] default_deferrable``
    """

    verb: ClassVar[str] = "archive"
    template_fields: Sequence[str] = (
        *SourceArchiveOperator.template_fields,
        *WINDOW_FIELDS,
        "every",
        "lateness",
        "force",
    )

    def __init__(
        self,
        *,
        every: DurationLike | None = None,
        windows: str = TILED,
        lateness: DurationLike = "0s",
        force: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if windows not in (TILED, ENDING):
            what = f"windows={windows!r} is not possible"
            raise ConfigurationError(what, written="nothing", fix=f"use {TILED} or {ENDING}")
        self.every = declared_duration(every)
        self.windows = windows
        self.lateness = declared_duration(lateness)
        self.force = force
        self.settle_outlets()

    def uri_of_measurement(self, measurement: str) -> str:
        """The asset of its folder in the archive."""
        return archive_uri(self.path, self.bucket, measurement, org=self.org)

    def execute(self, context: Context) -> Any:
        """Archive the windows of the run; wait for late points first.

        :param context: Airflow's context
        :return: what was archived
        :raises TaskDeferred: when the task is deferrable and the last window is not due yet
        :raises AirflowSkipException: when no window ends in the interval, with ``windows="ending"``
        """
        windows, specs = self._declared(context)
        if self.deferrable and not self.is_dry_run:
            self.defer_until_due(context, windows[-1].stop, self.lateness)
        return self.run_each(context, [partial(self._steps, context, spec, windows) for spec in specs])

    def execute_due(self, context: Context, event: object = None) -> Any:  # noqa: ARG002 - Airflow's signature
        """Archive the windows of the run, now that they are due.

        :param context: Airflow's context
        :param event: not used: it says that the time has come
        :return: what was archived
        """
        windows, specs = self._declared(context)
        return self.run_each(context, [partial(self._steps, context, spec, windows) for spec in specs])

    def _declared(self, context: Context) -> tuple[list[Interval], list[ArchiveSpec]]:
        interval = self.interval(context)
        with failing_by_permanence():
            more = {"lateness": flux_text(self.lateness), "force": truth("force", self.force)}
            return self.windows_of(interval), self.specs(**more)

    def windows_of(self, interval: Interval) -> list[Interval]:
        """The windows of an interval.

        :param interval: of the run
        :raises WindowMisaligned: when the grid does not tile it, and only tiles are meant
        :raises AirflowSkipException: when no window ends in it, and those that do are meant
        """
        from airflow_provider_influx_rollup.windows.grid import Grid
        from airflow_provider_influx_rollup.windows.touched import windows_ending

        if not self.every:
            return [interval]
        grid = Grid.of(self.every, self.offset, self.timezone)
        if self.windows == TILED:
            return grid.tile(interval)
        ending = windows_ending(grid, interval)
        if not ending:
            raise AirflowSkipException(NO_WINDOW.format(grid=flux_text(self.every), interval=interval))
        return ending

    def _steps(
        self, context: Context, spec: ArchiveSpec, windows: Sequence[Interval], now: Callable[[], datetime]
    ) -> Steps[Any]:
        from airflow_provider_influx_rollup.lifecycle.archive.archive import archive
        from airflow_provider_influx_rollup.lifecycle.archive.state import plan_archive
        from airflow_provider_influx_rollup.stores.versions import software_versions

        if self.is_dry_run:
            return plan_archive(spec, windows)
        return archive(spec, windows, run_info(context), now, software_versions(self.hook.get_conn()))
