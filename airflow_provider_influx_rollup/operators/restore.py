"""Restore archived points into a bucket."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.airflow_compat import Context
from airflow_provider_influx_rollup.assets.names import measurement_uri
from airflow_provider_influx_rollup.data_interval import run_info
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lineage.datasets import Flow, Measurement
from airflow_provider_influx_rollup.operators._ledger import LEDGER_FIELDS
from airflow_provider_influx_rollup.operators._options import texts, truth, whole_number
from airflow_provider_influx_rollup.operators._store import STORE_FIELDS
from airflow_provider_influx_rollup.operators._store_assets import StoreAssetsOperator
from airflow_provider_influx_rollup.operators._window import WindowStageOperator
from airflow_provider_influx_rollup.settings import read_settings
from airflow_provider_influx_rollup.stores.store_url import shown_url
from airflow_provider_influx_rollup.task_failures import failing_by_permanence

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.restore.spec import RestoreSpec
    from airflow_provider_influx_rollup.steps.step import Steps
    from airflow_provider_influx_rollup.windows.interval import Interval


class RestoreArchiveOperator(WindowStageOperator, StoreAssetsOperator):
    """Restore the points of the data interval from their newest archived generations, and prove that they are back.

    Every file is verified, and all of the target looked at, before anything is written. What is there already is left
    alone, so that a rerun resumes where a run was cut off. Of windows that stick out of the interval only the points inside
    are restored. In the end each series is read from the server again: its points are counted and hashed. The task waits
    for nothing.

    Returns ``{"window", "windows", "rows_in", "rows_out", "series", "checksum", "generation", "replaced", "unknown",
    "missing", "lifted", "state", "path", "bucket", "measurement", "seconds", "pipeline"}``: ``rows_in`` points are in
    the archive, ``rows_out`` were written; a list of these for a list of measurements.

    :param source_bucket: bucket that the archive was made of
    :param source_org: organisation that the archive was made of; default: the connection's
    :param target_bucket: bucket that gets the points; must exist; default: ``source_bucket``
    :param target_measurement: name that they get there; default: the same
    :param overwrite: replace points of the target that have another value, and leave those that the archive does not
        have, instead of refusing
    :param allow_missing: restore what there is when a part of the interval was never archived, instead of refusing
    :param max_rows_per_read: most points of the target that one query reads
    """

    verb: ClassVar[str] = "restore"
    counts = "rows_out"
    template_fields: Sequence[str] = (
        *WindowStageOperator.template_fields,
        *LEDGER_FIELDS,
        *STORE_FIELDS,
        "source_bucket",
        "source_org",
        "target_bucket",
        "target_measurement",
        "overwrite",
        "allow_missing",
        "max_rows_per_read",
    )
    ui_color = "#e4f0ee"

    def __init__(
        self,
        *,
        source_bucket: str,
        source_org: str | None = None,
        target_bucket: str | None = None,
        target_measurement: str | None = None,
        overwrite: bool | str = False,
        allow_missing: bool | str = False,
        max_rows_per_read: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source_bucket = source_bucket
        self.source_org = source_org
        self.target_bucket = target_bucket
        self.target_measurement = target_measurement
        self.overwrite = overwrite
        self.allow_missing = allow_missing
        self.max_rows_per_read = max_rows_per_read
        self.settle_outlets()

    def uri_of_measurement(self, measurement: str) -> str:
        """The asset of what it restores."""
        bucket = self.target_bucket or self.source_bucket
        name = self.target_measurement or measurement
        return measurement_uri(bucket, name, influx_conn_id=self.influx_conn_id, org=self.org)

    def execute(self, context: Context) -> Any:
        """Restore the interval of the run.

        :param context: Airflow's context
        :return: what was restored
        """
        interval = self.interval(context)
        with failing_by_permanence():
            specs = self.specs()
        return self.run_each(context, [partial(self._steps, context, spec, interval) for spec in specs])

    def specs(self) -> list[RestoreSpec]:
        """One restore for each measurement.

        :raises ConfigurationError: when a parameter is not possible
        """
        from airflow_provider_influx_rollup.lifecycle.restore.spec import RestoreSpec

        names = texts(self.measurement)
        if self.target_measurement and len(names) > 1:
            what = f"target_measurement={self.target_measurement!r} would mix {len(names)} measurements"
            raise ConfigurationError(what, written="nothing", fix="use one task for each measurement")
        own_org = self.hook.settings.org
        rows = self.max_rows_per_read or read_settings().max_rows_per_read
        return [
            RestoreSpec(
                org=self.source_org or own_org,
                source_bucket=self.source_bucket,
                measurement=name,
                target_bucket=self.target_bucket or self.source_bucket,
                target_org=own_org,
                shown_path=shown_url(str(self.path)),
                target_measurement=self.target_measurement or None,
                overwrite=truth("overwrite", self.overwrite),
                allow_missing=truth("allow_missing", self.allow_missing),
                ledger_bucket=self.ledger_bucket,
                max_rows_per_read=whole_number("max_rows_per_read", rows),
                name=self.pipeline_of(name, several=len(names) > 1),
            )
            for name in names
        ]

    def flows(self, results: Sequence[Mapping[str, Any]]) -> Sequence[Flow]:  # noqa: ARG002 - of its base
        """From each measurement's folder in the archive, its points in the target."""
        target = self.target_bucket or self.source_bucket
        return [
            Flow(
                [self.folder_of(self.source_bucket, name, self.source_org)],
                [Measurement(target, self.target_measurement or name)],
            )
            for name in texts(self.measurement)
        ]

    def link_bucket(self) -> str | None:
        """The bucket that the data link shows."""
        return self.target_bucket or self.source_bucket

    def _steps(
        self, context: Context, spec: RestoreSpec, interval: Interval, now: Callable[[], datetime]
    ) -> Steps[Any]:
        from airflow_provider_influx_rollup.lifecycle.restore.restore import plan_restore, restore

        if self.is_dry_run:
            return plan_restore(spec, interval, now)
        return restore(spec, interval, run_info(context), now)
