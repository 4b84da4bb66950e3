"""A task pays for no import that it does not need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

PROGRAM = """
import sys
from datetime import UTC, datetime, timedelta
import os
from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.interval import Interval

token = os.environ["INFLUX_TOKEN"]
settings = ClientSettings(url=os.environ["INFLUX_URL"], org=os.environ["INFLUX_ORG"], token=lambda _: token)
start = datetime(2026, 1, 1, tzinfo=UTC)
source, target, ledger = (f"imports_{name}" for name in ("raw", "rollup", "ledger"))
with InfluxClient(settings) as client:
    for bucket in (source, target, ledger):
        client.ensure_bucket(bucket)
    client.write_lines(source, ['m,d=a t=1.5,s="x",b=true,i=1i 1767225600000000000', "m,d=b,e=c t=2.5 1767225700000000000"])
    for number, (aggregates, more) in enumerate(
        [
            (("count", "last"), {}),
            (("count", "p99", "stddev"), {"fields": ("t",)}),
            (("count", "sum"), {"fields": ("t",), "group_by": ("d",)}),
        ]
    ):
        spec = RollupSpec(
            source_bucket=source, target_bucket=target, measurement="m", grid=GridSpec("1h"), aggregates=aggregates,
            ledger_bucket=ledger, target_measurement=f"t{number}", **more
        )
        steps = roll_up(spec, Interval(start, start + timedelta(hours=1)), RunInfo(), lambda: datetime.now(UTC))
        assert drive(steps, client, lambda report: None).rows_in > 0
print(sorted({"pandas", "influxdb_client"} & set(sys.modules)))
"""


def test_neither_pandas_nor_influxdb_client_is_imported_when_windows_are_rolled_up() -> None:
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=root, check=True, capture_output=True, text=True
    )
    assert ran.stdout.strip() == "[]"
