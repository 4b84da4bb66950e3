"""A backfill over two Celery workers, one of which is killed in the middle of a rollup."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import psutil
import pytest

pytest.importorskip(
    "airflow.providers.celery", reason="needs apache-airflow-providers-celery (make executors)"
)
pytest.importorskip("psycopg2", reason="needs psycopg2 (make executors)")

from airflow_provider_influx_rollup.cli.main import main
from dev.airflow_backfill import Backfill, make_ready, run_backfill
from dev.fleet import MEASUREMENT, TAGS, make_fleet, small_plan
from dev.influx_http import InfluxAddress
from tests import oracle
from tests.conftest import InfluxServer
from tests.executors.celery_airflow import CeleryAirflow, what_is_missing
from tests.faults.request_proxy import NO_FAULT, Fault, RequestProxy, running_request_proxy

pytestmark = [pytest.mark.airflow, pytest.mark.live, pytest.mark.executors, pytest.mark.timeout(1200)]

FIRST, LAST = datetime(2025, 3, 8, tzinfo=UTC), datetime(2025, 3, 8, 11, tzinfo=UTC)
ENDS = ("2025-03-08T00:00:00Z", "2025-03-08T12:00:00Z")
PARTS = ["count", "sum", "min", "max", "last", "stddev"]
TIERS = {
    "telemetry_5m": ("5min", PARTS),
    "telemetry_1h": ("1h", [*PARTS, "mean"]),
    "telemetry_6h": ("6h", ["count", "mean", "stddev", "min", "max", "last"]),
}


@pytest.fixture
def place(influx: InfluxServer) -> Iterator[InfluxAddress]:
    operator = InfluxAddress(influx.url, influx.org, influx.token)
    made = operator.new_organisation(f"celery-{uuid.uuid4().hex[:8]}")
    with made.buckets_made_meanwhile_deleted():
        yield made


def committed(place: InfluxAddress, bucket: str) -> int:
    """How many windows of a tier have a receipt that says COMMITTED."""
    if "rollup_ledger" not in place.buckets():
        return 0
    flux = f"""import "strings"
        from(bucket: "rollup_ledger") |> range(start: {ENDS[0]}, stop: {ENDS[1]})
        |> filter(fn: (r) => r._measurement == "window_receipt" and r.stage == "rollup" and r._field == "state")
        |> filter(fn: (r) => r._value == "COMMITTED" and strings.containsStr(v: r.pipeline, substr: "->{bucket}"))
        |> group() |> count()"""
    return sum(row["_value"] for row in oracle.query(place.url, place.org, place.token, flux))


class Killer:
    """Kills a worker with all its processes, in the middle of one of its requests, when some windows are committed.

    The answer to a write of a rollup is held meanwhile.
    """

    def __init__(self, place: InfluxAddress, proxy: RequestProxy, worker: str) -> None:
        self._place, self._proxy, self._worker = place, proxy, worker
        self._lock = threading.Lock()
        self.url = proxy.url
        self.airflow: CeleryAirflow | None = None
        self.processes = self.committed = 0

    def decide(self, kind: str, request: bytes) -> Fault:
        """Let a request pass, and kill before its answer does."""
        is_rollup = kind == "write" and b"bucket=telemetry_5m" in request.split(b"\r\n", 1)[0]
        return Fault("answered", answered=self._kill) if is_rollup and not self.processes else NO_FAULT

    def _kill(self) -> None:
        with self._lock:
            if self.processes or self.airflow is None or committed(self._place, "telemetry_5m") < 12:
                return
            family = self.airflow.processes.family(self._worker)
            if any(self._has_request(one) for one in family):
                self.committed = committed(self._place, "telemetry_5m")
                self.processes = self.airflow.processes.kill(self._worker)

    def _has_request(self, process: psutil.Process) -> bool:
        port = urlsplit(self._proxy.url).port
        return any(
            one.raddr and one.raddr.port == port and one.status == psutil.CONN_ESTABLISHED
            for one in connections_of(process)
        )


def connections_of(process: psutil.Process) -> list[Any]:
    """TCP connections of a process; none of one that has ended."""
    try:
        return list(process.net_connections("tcp"))
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []


@pytest.fixture
def killer(place: InfluxAddress) -> Iterator[Killer]:
    with running_request_proxy(place.url) as proxy:
        made = Killer(place, proxy, "two")
        proxy.plan(made.decide)
        yield made


@pytest.fixture
def airflow(place: InfluxAddress, killer: Killer, tmp_path: Path) -> Iterator[CeleryAirflow]:
    missing = what_is_missing()
    if missing:
        pytest.skip(f"{missing} not found: apt-get install redis-server postgresql")
    through = replace(place, url=killer.url)
    with CeleryAirflow(tmp_path / "home", Path(__file__).parent / "dags", through) as running:
        killer.airflow = running
        running.start()
        yield running


def test_every_tier_is_right_when_a_worker_is_killed_in_a_backfill(
    airflow: CeleryAirflow,
    place: InfluxAddress,
    killer: Killer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet = make_fleet(small_plan(FIRST))
    place.fresh_buckets("raw_telemetry", *TIERS)
    for wave in fleet.waves():
        for _ in place.write("raw_telemetry", wave):
            pass
    make_ready(airflow, "celery_tiers")
    for worker in ("one", "two"):
        airflow.start_worker(worker)
    backfill = Backfill("celery_tiers", FIRST, LAST, max_active_runs=4)
    states = run_backfill(airflow, backfill, timeout=1000)
    # the worker, its two processes for tasks, and at least one task
    assert killer.processes >= 4
    assert 12 <= killer.committed < 144
    assert states.runs == {"success": 12}
    tries = airflow.rows(
        "select task_id, max(try_number) from task_instance group by task_id order by task_id"
    )
    assert max(number for _, number in tries) > 1
    for bucket, (every, names) in TIERS.items():
        spans = oracle.windows("2025-03-08 00:00", "2025-03-08 12:00", every)
        expected = oracle.rollup(fleet.points, TAGS, spans, dict.fromkeys(("temperature", "humidity"), names))
        found = oracle.read_target(place.url, place.org, place.token, bucket, MEASUREMENT, *ENDS)
        assert oracle.compare(found, expected) == []
        assert oracle.count_points(place.url, place.org, place.token, bucket, *ENDS) == len(expected)
        assert committed(place, bucket) == len(spans) == pd.Timedelta("12h") // pd.Timedelta(every)
    for name, value in (("URL", place.url), ("ORG", place.org), ("TOKEN", place.token)):
        monkeypatch.setenv(f"INFLUX_{name}", value)
    assert main(["coverage", "--from", ENDS[0], "--to", ENDS[1], "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sorted(one["states"]["committed"] for one in told["pipelines"]) == [2, 12, 144]
