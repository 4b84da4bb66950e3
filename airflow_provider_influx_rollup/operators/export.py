"""Export archived points into a lakehouse table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_influx_rollup.airflow_compat import Context
from airflow_provider_influx_rollup.assets.names import place_uri
from airflow_provider_influx_rollup.data_interval import run_info
from airflow_provider_influx_rollup.declared_values import is_plain
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lineage.datasets import Flow, Folder
from airflow_provider_influx_rollup.operators._held_assets import HeldAssetsOperator
from airflow_provider_influx_rollup.operators._window import WINDOW_FIELDS, WindowStageOperator
from airflow_provider_influx_rollup.operators.archive import InfluxArchiveOperator
from airflow_provider_influx_rollup.stores.store_url import connection_in, shown_url
from airflow_provider_influx_rollup.task_failures import failing_by_permanence

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.announce.held import Held
    from airflow_provider_influx_rollup.lifecycle.export.spec import ExportSpec
    from airflow_provider_influx_rollup.steps.step import Steps
    from airflow_provider_influx_rollup.windows.interval import Interval

FIX_CREDENTIALS = (
    "use the archive's connection and a place on S3 for both, or leave the connection out and give the credentials in the "
    "worker's environment"
)


class ExportArchiveOperator(WindowStageOperator, HeldAssetsOperator, InfluxArchiveOperator):
    """Bring archived points into a Delta table, for people with a lakehouse.

    Each archived window is one commit, which names its generation and what it holds. A rerun, also after a crash, commits
    only what the table does not hold; a newer generation replaces the rows of its window in one commit. Two exports at
    once cannot commit the same points twice. The task waits for nothing.

    Returns ``{"window", "commits", "rows_out", "replaced", "unchanged", "version", "table", "path", "state", "dry_run",
    "seconds", "pipeline"}``.

    :param measurement: one measurement: a table holds no other
    :param table: folder or URL of the table; on S3 it is opened as the archive is, when that is there too, else the worker's
        environment has the credentials
    :param table_format: ``delta``
    :raises ConfigurationError: when a path holds a password, or a parameter is not possible
    """

    verb: ClassVar[str] = "export"
    asset_fields: ClassVar[Sequence[str]] = (*HeldAssetsOperator.asset_fields, "table")
    template_fields: Sequence[str] = (
        *InfluxArchiveOperator.template_fields,
        *WINDOW_FIELDS,
        "table",
        "table_format",
    )
    ui_color = "#f0ece4"

    def __init__(self, *, measurement: str, table: str, table_format: str = "delta", **kwargs: Any) -> None:
        super().__init__(measurement=measurement, **kwargs)
        self.table = table
        self.table_format = table_format
        if is_plain(table):
            shown_url(str(table), "the path of the table")
        self.settle_outlets()

    def asset_uris(self) -> list[str]:
        """The table."""
        return [place_uri(str(self.table), "the path of the table")]

    def held(self) -> list[Held]:
        """The parts of the archive that the table holds."""
        from airflow_provider_influx_rollup.lifecycle.announce.held import Held

        (uri,), (result,) = self.asset_uris(), self.outcomes
        return [Held(uri=uri, pipeline=result.spec.pipeline, stage=self.verb, windows=result.held)]

    def execute(self, context: Context) -> Any:
        """Export the archived windows that overlap the interval of the run.

        :param context: Airflow's context
        :return: what was committed
        """
        interval = self.interval(context)
        with failing_by_permanence():
            spec = self.export_spec()
        return self.run_each(context, [partial(self._steps, context, spec, interval)])

    def flows(self, results: Sequence[Mapping[str, Any]]) -> Sequence[Flow]:  # noqa: ARG002 - of its base
        """From the measurement's folder in the archive, the table."""
        table = Folder(shown_url(str(self.table), "the path of the table"))
        return [Flow([self.folder_of(self.bucket, str(self.measurement))], [table])]

    def export_spec(self) -> ExportSpec:
        """The data to export.

        :raises ConfigurationError: when a parameter is not possible
        """
        from airflow_provider_influx_rollup.lifecycle.export.spec import ExportSpec

        self._require_no_other_connection()
        return ExportSpec(
            org=self.hook.settings.org,
            bucket=self.bucket,
            measurement=str(self.measurement),
            shown_path=shown_url(str(self.path)),
            table=shown_url(str(self.table), "the path of the table"),
            table_format=self.table_format,
            ledger_bucket=self.ledger_bucket,
            name=self.pipeline,
        )

    def _require_no_other_connection(self) -> None:
        """Refuse a connection in the table's URL that would have no effect.

        :raises ConfigurationError: naming it
        """
        shown = shown_url(str(self.table), "the path of the table")
        named = connection_in(str(self.table))
        if named not in ("", self.path_conn_id or connection_in(str(self.path))):
            what = f"the table {shown} names connection {named!r}, which is not that of the archive"
            raise ConfigurationError(what, written="nothing", fix=FIX_CREDENTIALS)

    def _steps(
        self, context: Context, spec: ExportSpec, interval: Interval, now: Callable[[], datetime]
    ) -> Steps[Any]:
        from airflow_provider_influx_rollup.lifecycle.export.export import export

        return export(spec, interval, run_info(context), now, dry_run=self.is_dry_run)
