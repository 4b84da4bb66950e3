"""A worker process that archives windows, purges them, and restores them into another bucket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.lifecycle.archive.archive import archive
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.purge.purge import purge
from airflow_provider_influx_rollup.lifecycle.purge.spec import PurgeSpec
from airflow_provider_influx_rollup.lifecycle.restore.restore import restore
from airflow_provider_influx_rollup.lifecycle.restore.spec import RestoreSpec
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.faults.worker_process import WorkerProcess

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.steps.influx import Report

RUN = RunInfo(dag_id="dag", task_id="task", run_id="run")


@dataclass(frozen=True)
class Work:
    """What a worker does: archive and purge the windows, and restore them where a target is named.

    :param base: folder of the archive
    """

    url: str
    org: str
    token: str
    bucket: str
    ledger: str
    base: str
    windows: tuple[Interval, ...]
    target: str = ""

    @property
    def spec(self) -> ArchiveSpec:
        """What is archived."""
        return ArchiveSpec(
            org=self.org, bucket=self.bucket, measurement="m", shown_path=self.base, ledger_bucket=self.ledger
        )


class ArchiveWorker(WorkerProcess):
    """A process that does the work; it begins when it is told to."""

    def __init__(self, work: Work) -> None:
        super().__init__(do, work)
        assert self.arrival() is not None


def do(work: Work, gate: Connection) -> None:
    """What the process does."""
    settings = ClientSettings(url=work.url, org=work.org, token=lambda _: work.token)
    with InfluxClient(settings) as client:
        gate.send("ready")
        gate.recv()
        if work.target:
            _restore(work, client)
        else:
            _archive_and_purge(work, client, work.windows)


def _archive_and_purge(work: Work, client: InfluxClient, windows: Sequence[Interval]) -> None:
    actions = actions_with(ArchiveStore.of_url(work.base))
    for window in windows:
        drive(archive(work.spec, (window,), RUN, _now, {"product": "1"}), client, _tell_nobody, actions)
    spec = PurgeSpec(archive=work.spec, require_pipelines=(), min_age="0s", quiet_for="0s")
    drive(purge(spec, windows, RUN, _now), client, _tell_nobody, actions)


def _restore(work: Work, client: InfluxClient) -> None:
    spec = RestoreSpec(
        org=work.org,
        source_bucket=work.bucket,
        measurement="m",
        target_bucket=work.target,
        target_org=work.org,
        shown_path=work.base,
        ledger_bucket=work.ledger,
    )
    interval = Interval(work.windows[0].start, work.windows[-1].stop)
    actions = actions_with(ArchiveStore.of_url(work.base))
    drive(restore(spec, interval, RUN, _now), client, _tell_nobody, actions)


def _now() -> datetime:
    return datetime.now(UTC)


def _tell_nobody(_report: Report) -> None:
    return
