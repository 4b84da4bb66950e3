"""The pair of examples in which an asset starts a DAG: what is told, and what the other DAG makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pandas as pd
import pytest

from dev.airflow_backfill import make_ready
from dev.airflow_dag_test import run_dag
from dev.airflow_process import AirflowProcess
from dev.influx_http import InfluxAddress
from tests import oracle

pytestmark = [pytest.mark.airflow, pytest.mark.live, pytest.mark.timeout(600)]

START, STOP = "2025-03-07T23:00:00Z", "2025-03-08T23:00:00Z"
ALWAYS = ("1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z")
CONF = json.dumps({"start": START, "stop": STOP})


class Pair:
    """The two DAGs, and a day of points."""

    def __init__(self, airflow: AirflowProcess, place: InfluxAddress) -> None:
        self.airflow, self.place = airflow, place
        # 2.11 learns of datasets when DAGs are stored
        make_ready(airflow, "hourly_assets", "daily_of_assets")
        place.fresh_buckets("raw_telemetry", "telemetry_1h", "telemetry_1d")
        times = pd.date_range(START, STOP, freq="10min", inclusive="left")
        self.points = pd.DataFrame(
            {"_time": times, "host": "a", "temperature": [float(at % 37) for at in range(len(times))]}
        )
        self.write(self.points)

    def write(self, points: pd.DataFrame) -> None:
        rows = zip(points["_time"], points["temperature"], strict=True)
        lines = (f"sensor_readings,host=a temperature={value} {at.as_unit('ns').value}" for at, value in rows)
        for _ in self.place.write("raw_telemetry", lines):
            pass

    def run(self, dag_id: str, stop: str) -> None:
        environment = {"AIRFLOW_CONN_INFLUX_ROLLUP_DEFAULT": self.place.connection()}
        run_dag(self.airflow, dag_id, stop, "--conf", CONF, environment=environment)
        states = self.airflow.rows("select state from task_instance where dag_id = ?", (dag_id,))
        assert {state for (state,) in states} == {"success"}

    def events(self) -> list[tuple[str, str, int]]:
        """Start, stop and number of windows of each event of the hourly asset."""
        table = "asset" if self.airflow.is_three else "dataset"
        query = f"""select e.extra from {table}_event e join {table} a on a.id = e.{table}_id
            where a.uri = 'influxdb://influx_rollup_default/-/telemetry_1h/sensor_readings' order by e.id"""  # noqa: S608
        extras = [json.loads(extra) for (extra,) in self.airflow.rows(query)]
        return [(extra["start"], extra["stop"], extra["windows"]) for extra in extras]


@pytest.fixture
def pair(real_airflow: AirflowProcess, new_organisation: Callable[[], InfluxAddress]) -> Iterator[Pair]:
    place = new_organisation()
    with place.buckets_made_meanwhile_deleted():
        yield Pair(real_airflow, place)


def test_hours_tell_of_what_they_have_changed_and_days_follow(pair: Pair) -> None:
    pair.run("hourly_assets", "2025-03-08T05:00:00+00:00")
    assert pair.events() == [(START, STOP, 24)]
    # the same rows again
    pair.run("hourly_assets", "2025-03-08T06:00:00+00:00")
    assert pair.events() == [(START, STOP, 24)]
    late = pd.DataFrame(
        {"_time": [pd.Timestamp("2025-03-08T04:59:59.5Z")], "host": "a", "temperature": [19.5]}
    )
    pair.write(late)
    pair.run("hourly_assets", "2025-03-08T07:00:00+00:00")
    assert pair.events()[1:] == [("2025-03-08T04:00:00Z", "2025-03-08T05:00:00Z", 1)]
    pair.run("daily_of_assets", "2025-03-09T00:00:00+00:00")
    points = pd.concat([pair.points, late], ignore_index=True)
    spans = [(pd.Timestamp(START), pd.Timestamp(STOP))]
    expected = oracle.rollup(points, ["host"], spans, {"temperature": ["count", "min", "max", "mean"]})
    place = pair.place
    target = oracle.read_target(place.url, place.org, place.token, "telemetry_1d", "sensor_readings", *ALWAYS)
    assert oracle.compare(target, expected) == []
