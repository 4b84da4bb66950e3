"""How the same rollup is written without this provider: pandas, the hook of Apache's InfluxDB provider, a task of InfluxDB."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.task_create_request import TaskCreateRequest
from influxdb_client.rest import ApiException

from dev.bench.data import DataSet, target_bucket
from dev.bench.scripts import AGGREGATES, source

TAGS = ["device_id", "site"]
POLL_SECONDS = 0.01


def by_pandas(client: InfluxDBClient, data_set: DataSet) -> Callable[[], None]:
    """A Python task: all points into a DataFrame, ``groupby``, the rows written as a DataFrame."""
    wanted = ", ".join(f'"{name}"' for name in ("_time", "_value", *TAGS))
    query = f"{source(data_set)} |> keep(columns: [{wanted}]) |> group()"

    def run() -> None:
        points = client.query_api().query_data_frame(query)
        grouped = points.groupby([*TAGS, points["_time"].dt.floor("h")])["_value"].agg(list(AGGREGATES))
        rows = grouped.add_prefix("temperature_").reset_index().set_index("_time")
        with client.write_api(write_options=SYNCHRONOUS) as api:
            api.write(
                bucket=target_bucket("pandas"),
                record=rows,
                data_frame_measurement_name=data_set.measurement,
                data_frame_tag_columns=TAGS,
            )

    return run


def by_query(client: InfluxDBClient, script: str) -> Callable[[], None]:
    """What ``InfluxDBOperator`` of Apache's provider 2.13 does with its ``sql``: a query whose answer becomes tables."""

    def run() -> None:
        client.query_api().query(script)

    return run


@contextmanager
def by_task(client: InfluxDBClient, script: str) -> Iterator[Callable[[], None]]:
    """A task of InfluxDB with the script, run by hand and waited for; it is deleted at the end."""
    tasks = client.tasks_api()
    flux = f'{script}\noption task = {{name: "bench", every: 1h}}\n'
    request = TaskCreateRequest(org=client.org, flux=flux)
    task = tasks.create_task(task_create_request=request)

    def run() -> None:
        number = tasks.run_manually(task.id).id
        while (status := _status(client, task.id, number)) not in ("success", "failed", "canceled"):
            time.sleep(POLL_SECONDS)
        if status != "success":
            raise RuntimeError(f"the run of the task ended as {status}")

    try:
        yield run
    finally:
        tasks.delete_task(task.id)


def _status(client: InfluxDBClient, task_id: str, number: str) -> str:
    """State of a run; between the queue and its log InfluxDB knows none."""
    try:
        return str(client.tasks_api().get_run(task_id, number).status)
    except ApiException as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return "unknown"
