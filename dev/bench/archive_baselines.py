"""What people write otherwise: influxdb-client to Parquet, and back from DataFrames and Points."""

from __future__ import annotations

import http.client
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.warnings import MissingPivotFunction
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import SYNCHRONOUS

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.windows.interval import Interval

warnings.simplefilter("ignore", MissingPivotFunction)
BATCH_ROWS = 100_000


def query(bucket: str, measurement: str, span: Interval) -> str:
    """The plain query that anybody would send."""
    start, stop = (one.isoformat().replace("+00:00", "Z") for one in (span.start, span.stop))
    return (
        f'from(bucket: "{bucket}") |> range(start: {start}, stop: {stop})'
        f' |> filter(fn: (r) => r._measurement == "{measurement}")'
    )


def count(client: InfluxClient, bucket: str, measurement: str, span: Interval) -> int:
    """How many field values there are."""
    rows = client.query(f'{query(bucket, measurement, span)} |> group(columns: ["_field"]) |> count()')
    return sum(row["_value"] for row in rows)


def empty(client: InfluxClient, bucket: str, measurement: str, span: Interval) -> None:
    """Delete what an earlier round has written."""
    client.delete(bucket, span, f'_measurement="{measurement}"')


def drain(flux: str) -> None:
    """Receive an answer and look at nothing of it, with as little work as Python can."""
    address = urlsplit(os.environ["INFLUX_URL"])
    dialect = {"annotations": ["datatype", "group", "default"]}
    headers = {"Authorization": f"Token {os.environ['INFLUX_TOKEN']}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=600)
    path = "/api/v2/query?" + urlencode({"org": os.environ["INFLUX_ORG"]})
    connection.request("POST", path, json.dumps({"query": flux, "dialect": dialect}), headers)
    answer = connection.getresponse()
    buffer = memoryview(bytearray(1 << 18))
    while answer.readinto(buffer):
        pass
    connection.close()


def frame_to_parquet(bucket: str, measurement: str, span: Interval) -> None:
    """``query_data_frame``, and ``to_parquet`` for the frames of each type together."""
    with _connected() as client, tempfile.TemporaryDirectory() as folder:
        found = client.query_api().query_data_frame(query(bucket, measurement, span))
        by_type: dict[str, list[pd.DataFrame]] = {}
        for frame in found if isinstance(found, list) else [found]:
            by_type.setdefault(str(frame["_value"].dtype), []).append(frame)
        for kind, frames in by_type.items():
            pd.concat(frames, ignore_index=True).to_parquet(Path(folder) / f"{kind}.parquet")


def stream_to_parquet(bucket: str, measurement: str, span: Interval) -> None:
    """``query_stream``, a record at a time; one file for each type."""
    with _connected() as client, tempfile.TemporaryDirectory() as folder:
        writers: dict[type, pq.ParquetWriter] = {}
        waiting: dict[type, list[dict[str, Any]]] = {}
        for record in client.query_api().query_stream(query(bucket, measurement, span)):
            kind = type(record.values["_value"])
            rows = waiting.setdefault(kind, [])
            rows.append(record.values)
            if len(rows) >= BATCH_ROWS:
                _write(writers, kind, rows, folder)
        for kind, rows in waiting.items():
            _write(writers, kind, rows, folder)
        for writer in writers.values():
            writer.close()


@contextmanager
def write_frames(
    client: InfluxClient, files: Sequence[Path], target: str, span: Interval
) -> Iterator[Callable[[], object]]:
    """``write_api`` with ``SYNCHRONOUS``: the same files as DataFrames, a field at a time."""
    frames = []
    for path in files:
        for field, frame in pd.read_parquet(path).groupby("_field", observed=True):
            named = frame.drop(columns="_field").rename(columns={"_value": str(field)})
            frames.append(named.astype({"device": str, "site": str}).set_index("_time"))
    empty(client, target, "raw", span)
    options = {"data_frame_measurement_name": "raw", "data_frame_tag_columns": ["device", "site"]}
    with _connected() as connected:
        api = connected.write_api(write_options=SYNCHRONOUS)
        yield lambda: [api.write(target, record=frame, **options) for frame in frames]


@contextmanager
def write_points(
    client: InfluxClient, source: str, target: str, span: Interval
) -> Iterator[Callable[[], object]]:
    """``write_api`` with ``SYNCHRONOUS`` and ``Point`` objects of one field, 5,000 at a time."""
    frame = _wide_frame(client, source, span)
    empty(client, target, "raw", span)
    rows = [
        (device, site, field, value, int(time.value))
        for time, (device, site, *values) in zip(frame.index, frame.itertuples(index=False), strict=True)
        for field, value in zip(frame.columns[2:], values, strict=True)
    ]
    with _connected() as connected:
        api = connected.write_api(write_options=SYNCHRONOUS)

        def run() -> None:
            for first in range(0, len(rows), 5000):
                batch = [
                    Point("raw").tag("device", device).tag("site", site).field(field, value).time(time_ns)
                    for device, site, field, value, time_ns in rows[first : first + 5000]
                ]
                api.write(target, record=batch)

        yield run


def _wide_frame(client: InfluxClient, source: str, span: Interval) -> pd.DataFrame:
    flux = (
        f'{query(source, "raw", span)} |> drop(columns: ["_start", "_stop", "_measurement"])'
        ' |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
    )
    table = pa.concat_tables(client.query_arrow(flux), promote_options="permissive")
    frame = table.to_pandas().astype({"device": str, "site": str}).set_index("_time")
    return frame[["device", "site", *sorted(set(frame.columns) - {"device", "site"})]]


def _write(
    writers: dict[type, pq.ParquetWriter], kind: type, rows: list[dict[str, Any]], folder: str
) -> None:
    if not rows:
        return
    table = pa.Table.from_pylist(rows)
    if kind not in writers:
        writers[kind] = pq.ParquetWriter(Path(folder) / f"{kind.__name__}.parquet", table.schema)
    writers[kind].write_table(table)
    rows.clear()


def _connected() -> InfluxDBClient:
    return InfluxDBClient(
        os.environ["INFLUX_URL"],
        token=os.environ["INFLUX_TOKEN"],
        org=os.environ["INFLUX_ORG"],
        timeout=600_000,
    )
