"""What retention takes on a real server, and that a run knows it; the property test of frozen windows leans on this."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import WindowFrozen, WindowsFailed, WriteRejected
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.source.retention import is_too_old
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer

pytestmark = pytest.mark.live

CHECKOUT = Path(__file__).resolve().parents[2]
HOUR = timedelta(hours=1)
EVERYTHING = "range(start: 1970-01-01T00:00:00Z)"


@pytest.fixture
def eager(tmp_path: Path) -> Iterator[InfluxServer]:
    """A server of our own that drops old shard groups every second instead of every half hour."""
    (tmp_path / "config.yaml").write_text("storage-retention-check-interval: 1s\n")
    own = {name: value for name, value in os.environ.items() if not name.startswith("INFLUX_")}

    def dev_influx(*words: str) -> str:
        command = [sys.executable, str(CHECKOUT / "dev/influx"), *words, "--data-dir", str(tmp_path / "data")]
        done = subprocess.run(
            command, cwd=tmp_path, env=own, capture_output=True, text=True, check=True, timeout=90
        )
        return done.stdout

    told = dict(line.split("=", 1) for line in dev_influx("start", "--port", "0").splitlines())
    yield InfluxServer(told["INFLUX_URL"], told["INFLUX_ORG"], told["INFLUX_TOKEN"])
    dev_influx("stop")


def call(server: InfluxServer, method: str, path: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        server.url + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Token {server.token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def rules(seconds: int) -> dict[str, Any]:
    return {
        "retentionRules": [{"type": "expire", "everySeconds": seconds, "shardGroupDurationSeconds": 3600}]
    }


def test_frozen_are_the_windows_whose_shard_groups_the_server_drops(eager: InfluxServer) -> None:
    settings = ClientSettings(url=eager.url, org=eager.org, token=lambda _refresh: eager.token)
    now = datetime.now(UTC)
    hours = [now.replace(minute=0, second=0, microsecond=0) - count * HOUR for count in (5, 4, 3, 2, 1)]
    windows = [Interval(hour, hour + HOUR) for hour in hours]
    span = Interval(windows[0].start, windows[-1].stop)
    org = call(eager, "GET", f"/api/v2/orgs?org={eager.org}")["orgs"][0]["id"]
    source = call(eager, "POST", "/api/v2/buckets", {"orgID": org, "name": "raw", **rules(0)})
    with InfluxClient(settings) as client:
        client.ensure_bucket("rolled")
        client.write_lines(
            "raw", [line(hour + timedelta(minutes=10 * part)) for hour in hours for part in range(6)]
        )
        spec = RollupSpec(
            source_bucket="raw",
            target_bucket="rolled",
            measurement="m",
            grid=GridSpec("1h"),
            aggregates=("count", "sum"),
        )

        def roll(**options: Any) -> dict[str, Any]:
            steps = roll_up(spec, span, RunInfo(), lambda: now, options=RollupOptions(**options))
            return drive(steps, client, lambda _report: None).as_json()

        roll()
        before = rows(client, "rolled")
        assert len(before) == 10

        call(eager, "PATCH", f"/api/v2/buckets/{source['id']}", rules(3600))
        bucket = client.find_bucket("raw")
        assert bucket is not None
        horizon = now - HOUR
        kept = [window for window in windows if window.stop > horizon]
        assert len(kept) == 1
        wait_until_points_are(client, 6 * len(kept))

        # the whole shard group stays, with points that are older than the retention; writes as old are refused
        assert rows(client, "raw")[0][0] == kept[0].start < horizon
        with pytest.raises(WriteRejected):
            client.write_lines("raw", [line(kept[0].start - timedelta(minutes=1))])
        # what the server has dropped is called too old, and what is not has all its points
        too_old = [window for window in windows if is_too_old(window, bucket, now)]
        assert set(windows) - set(kept) <= set(too_old)

        with pytest.raises(WindowsFailed if len(too_old) < len(windows) else WindowFrozen) as caught:
            roll()
        assert caught.value.permanent
        assert "has 0 of the 6 points" in str(caught.value)
        assert rows(client, "rolled") == before

        # force makes them what is left, and the history says so
        result = roll(force=True)
        assert result["rows_in"] == 6 * len(kept)
        assert any("force=True" in note for note in result["notes"])
        assert any("fewer points" in note for note in result["notes"])
        assert [moment for moment, *_ in rows(client, "rolled")] == [kept[0].start] * 2
        told = client.query(
            f'from(bucket: "rollup_ledger") |> {EVERYTHING} |> filter(fn: (r) => r._measurement == "window_event") '
            '|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
        )
        forced = [row for row in told if row["forced"] and row["state"] == "COMMITTED"]
        assert len(forced) == len(too_old)
        assert {row["generation"] for row in forced} == {2}


def line(moment: datetime) -> str:
    return f"m,device=a v=1.5 {int(moment.timestamp())}000000000"


def rows(client: InfluxClient, bucket: str) -> list[tuple[datetime, str, float]]:
    found = client.query(f'from(bucket: "{bucket}") |> {EVERYTHING}')
    return sorted((row["_time"], row["_field"], row["_value"]) for row in found)


def wait_until_points_are(client: InfluxClient, count: int) -> None:
    """Until the server has enforced the retention."""
    deadline = time.monotonic() + 60
    while len(rows(client, "raw")) != count:
        assert time.monotonic() < deadline, rows(client, "raw")
        time.sleep(0.2)
