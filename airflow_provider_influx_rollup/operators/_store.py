"""Stages of an archive: where its files are, and one verb for each of its measurements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.airflow_compat import Context
from airflow_provider_influx_rollup.declared_values import is_plain
from airflow_provider_influx_rollup.hooks.archive_store import open_store
from airflow_provider_influx_rollup.lineage.counted import Counted
from airflow_provider_influx_rollup.lineage.datasets import Folder, archive_folder
from airflow_provider_influx_rollup.operators._ledger import LedgerStageOperator
from airflow_provider_influx_rollup.operators._several import each_in_turn
from airflow_provider_influx_rollup.stores.store_url import shown_url
from airflow_provider_influx_rollup.task_failures import failing_by_permanence

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.steps.step import Steps
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore

STORE_FIELDS = ("measurement", "path", "path_conn_id")


class StoreStageOperator(LedgerStageOperator):
    """Base of the stages of an archive.

    :param measurement: a measurement or a list
    :param path: base folder of the archive, ``/data/archive`` or a URL such as ``s3://lake/telemetry``
    :param path_conn_id: Airflow connection of the object store; default: the one in the URL, as in
        ``s3://aws_default@lake/telemetry``, else what the worker's environment gives
    :raises ConfigurationError: when the path holds a password, or a parameter is not possible
    """

    template_fields: Sequence[str] = (*LedgerStageOperator.template_fields, *STORE_FIELDS)

    def __init__(
        self, *, measurement: str | Sequence[str], path: str, path_conn_id: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.measurement = measurement
        self.path = path
        self.path_conn_id = path_conn_id
        if is_plain(path):
            shown_url(str(path))

    def store(self) -> ArchiveStore:
        """The base folder of the archive.

        :raises ConfigurationError: when nothing installed can open it
        """
        return open_store(str(self.path), self.path_conn_id)

    def folder_of(self, bucket: str, measurement: str, org: str | None = None) -> Folder:
        """The folder of a measurement in the archive.

        :param org: organisation that the archive was made of; default: the connection's
        """
        return archive_folder(str(self.path), org or self.hook.settings.org, bucket, measurement)

    def counted(self, result: Mapping[str, Any]) -> Counted:
        """Points read and written, and the size of the files."""
        return Counted(
            rows_in=result.get("rows_in"), rows_out=[result.get("rows_out")], bytes_out=result.get("bytes")
        )

    def run_each(
        self, context: Context, runs: Sequence[Callable[[Callable[[], datetime]], Steps[Any]]]
    ) -> Any:
        """Run the verb of each measurement; what fails in one does not stop the others.

        :param runs: each takes the clock
        :return: the result, or a list for several
        """
        with failing_by_permanence():
            store = self.store()
        results = each_in_turn(
            [partial(self.run_verb, context, run, store) for run in runs],
            fails_fast=False,
            tell=lambda text: self.log.error("%s", text),
        )
        return results[0] if isinstance(self.measurement, str) else results
