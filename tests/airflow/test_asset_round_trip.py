"""Hourly windows start one daily run by a real scheduler, on days of 23 and 25 hours, and again after a repair."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.airflow_compat import has_partitions
from dev.airflow_backfill import make_ready, unpause
from dev.airflow_process import AirflowProcess
from dev.influx_http import InfluxAddress
from dev.processes import wait_until
from tests import oracle

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not has_partitions(), reason="Airflow 3.3 and later have partitions that tasks name"),
]

ZONE = "Europe/Berlin"
PARTS = ["count", "sum", "min", "max"]
DAYS = {"2026-03-29": 23, "2026-10-25": 25}
WAYS = ("ledger", "mapper")
DAGS = ("trip_hours", "trip_repair", "trip_days_ledger", "trip_days_mapper")
ALWAYS = ("1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z")


def of_day(day: str, *, hour: int = 0) -> pd.Timestamp:
    return pd.Timestamp(f"{day} {hour:02}:00", tz=ZONE).tz_convert("UTC")


def end_of(day: str) -> pd.Timestamp:
    return (pd.Timestamp(day, tz=ZONE) + pd.DateOffset(days=1)).tz_convert("UTC")


def text(at: Any) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Trip:
    """Two days of points, and DAGs that a scheduler runs."""

    def __init__(self, airflow: AirflowProcess, place: InfluxAddress) -> None:
        self.airflow, self.place = airflow, place
        self.points = pd.concat([self._points(day) for day in DAYS], ignore_index=True)
        place.fresh_buckets("trip_raw", *(f"trip_{tier}_{way}" for tier in ("hours", "days") for way in WAYS))
        self.write(self.points)
        make_ready(airflow, *DAGS)
        for dag_id in DAGS:
            unpause(airflow, dag_id)

    def _points(self, day: str) -> pd.DataFrame:
        times = pd.date_range(of_day(day), end_of(day), freq="10min", inclusive="left")
        return pd.DataFrame({"_time": times, "host": "a", "v": [float(at % 89) for at in range(len(times))]})

    def write(self, points: pd.DataFrame) -> None:
        lines = (
            f"m,host=a v={v} {t.as_unit('ns').value}"
            for t, v in zip(points["_time"], points["v"], strict=True)
        )
        for _ in self.place.write("trip_raw", lines):
            pass

    def run(self, dag_id: str, start: pd.Timestamp, stop: pd.Timestamp) -> None:
        """Trigger a DAG for a time, and wait for its end."""
        run_id = f"{dag_id}-{len(self.runs(dag_id))}"
        conf = json.dumps({"start": text(start), "stop": text(stop)})
        with self.airflow.alone_with_database():
            self.airflow.cli("dags", "trigger", dag_id, "--run-id", run_id, "--conf", conf, retries=0)
        self.wait(lambda: self.runs(dag_id).get(run_id) not in (None, "queued", "running"), run_id)
        assert self.runs(dag_id)[run_id] == "success", self.airflow.task_log(dag_id)

    def runs(self, dag_id: str) -> dict[str, str]:
        return dict(self.airflow.rows("select run_id, state from dag_run where dag_id = ?", (dag_id,)))

    def partitions(self, way: str) -> Counter[str]:
        """How many runs of a consumer have succeeded, by partition."""
        query = "select partition_key from dag_run where dag_id = ? and state = 'success'"
        return Counter(key for (key,) in self.airflow.rows(query, (f"trip_days_{way}",)))

    def events(self) -> Counter[tuple[str, str]]:
        query = "select a.uri, e.partition_key from asset_event e join asset a on a.id = e.asset_id where a.uri like '%trip_%'"
        return Counter(self.airflow.rows(query))

    def wait(self, is_done: Any, what: str) -> None:
        def look() -> bool:
            self.airflow.processes.check()
            return bool(is_done())

        wait_until(look, seconds=240, what=what)

    def differences(self, way: str) -> list[str]:
        spans = [(of_day(day), end_of(day)) for day in DAYS]
        expected = oracle.rollup(self.points, ["host"], spans, {"v": PARTS})
        place = self.place
        target = oracle.read_target(place.url, place.org, place.token, f"trip_days_{way}", "m", *ALWAYS)
        return oracle.compare(target, expected)


def test_hours_start_one_daily_run_over_both_clock_changes_and_a_repair_starts_the_touched_day(
    real_airflow: AirflowProcess, organisation: InfluxAddress
) -> None:
    trip = Trip(real_airflow, organisation)
    for day in DAYS:
        noon = of_day(day, hour=12)
        # the day is whole after the second run
        trip.run("trip_hours", noon, end_of(day))
        trip.run("trip_hours", of_day(day), noon)
    keys = Counter(text(of_day(day)) for day in DAYS)
    for way in WAYS:
        trip.wait(lambda way=way: trip.partitions(way) >= keys, f"daily runs of {way}")
        assert trip.partitions(way) == keys
        assert trip.differences(way) == []
    events = trip.events()
    of_hours = [key for uri, key in events.elements() if uri.endswith("trip_hours_mapper/m")]
    assert len(of_hours) == len(set(of_hours)) == sum(DAYS.values())
    assert Counter(key for uri, key in events.elements() if uri.endswith("trip_hours_ledger/m")) == keys

    # a late point in the hour that clocks show twice, and a run of all that changes nothing else
    day, (start, stop) = "2026-10-25", (of_day("2026-10-25"), end_of("2026-10-25"))
    late = pd.DataFrame({"_time": [start + timedelta(hours=3, minutes=5)], "host": "a", "v": [500.0]})
    trip.points = pd.concat([trip.points, late], ignore_index=True)
    trip.write(late)
    trip.run("trip_repair", start, stop)
    keys[text(start)] += 1
    trip.wait(lambda: trip.partitions("ledger") >= keys, "the repaired day")
    assert trip.partitions("ledger") == keys
    assert trip.differences("ledger") == []
    before = trip.events()
    trip.run("trip_repair", start, stop)
    spring = "2026-03-29"
    trip.run("trip_hours", of_day(spring), end_of(spring))
    assert trip.events() == before
    assert trip.partitions("ledger") == keys
