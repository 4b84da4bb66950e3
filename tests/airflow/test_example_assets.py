"""The pair of examples in which an asset starts a DAG: what is told, and what the other DAG makes of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest

from dev.airflow_backfill import make_ready, unpause
from dev.airflow_dag_test import run_dag
from dev.airflow_process import REPOSITORY, AirflowProcess
from dev.influx_http import InfluxAddress
from dev.processes import wait_until
from tests import oracle

pytestmark = [pytest.mark.airflow, pytest.mark.live, pytest.mark.timeout(600)]

START, STOP = "2025-03-07T23:00:00Z", "2025-03-08T23:00:00Z"
ALWAYS = ("1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z")
IS_THREE = not version("apache-airflow").startswith("2.")
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

    def add_late_point(self) -> None:
        """A point in an hour that was rolled up."""
        at = pd.Timestamp("2025-03-08T04:59:59.5Z")
        late = pd.DataFrame({"_time": [at], "host": "a", "temperature": [19.5]})
        self.write(late)
        self.points = pd.concat([self.points, late], ignore_index=True)

    def differences(self) -> list[str]:
        """How the day differs from what it should be."""
        spans = [(pd.Timestamp(START), pd.Timestamp(STOP))]
        expected = oracle.rollup(
            self.points, ["host"], spans, {"temperature": ["count", "min", "max", "mean"]}
        )
        at = self.place
        target = oracle.read_target(at.url, at.org, at.token, "telemetry_1d", "sensor_readings", *ALWAYS)
        return oracle.compare(target, expected)


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
    pair.add_late_point()
    pair.run("hourly_assets", "2025-03-08T07:00:00+00:00")
    assert pair.events()[1:] == [("2025-03-08T04:00:00Z", "2025-03-08T05:00:00Z", 1)]
    pair.run("daily_of_assets", "2025-03-09T00:00:00+00:00")
    assert pair.differences() == []


@pytest.fixture
def scheduled_pair(tmp_path: Path, new_organisation: Callable[[], InfluxAddress]) -> Iterator[Pair]:
    """The pair in an Airflow of its own: the first run that datasets start is about all events of the database."""
    place, dags = new_organisation(), tmp_path / "dags"
    dags.mkdir()
    for name in ("hourly_assets", "daily_of_assets"):
        shutil.copy(REPOSITORY / "example_dags" / f"{name}.py", dags)
    with AirflowProcess(tmp_path, dags, place) as airflow, place.buckets_made_meanwhile_deleted():
        airflow.migrate()
        airflow.load_commands()
        yield Pair(airflow, place)


@pytest.mark.skipif(IS_THREE, reason="on Airflow 3 such runs have no data interval")
def test_days_are_those_of_the_events_when_a_scheduler_of_2_11_starts_their_runs(
    scheduled_pair: Pair,
) -> None:
    pair, airflow = scheduled_pair, scheduled_pair.airflow

    def wait_for_runs(count: int) -> None:
        def are_there() -> bool:
            airflow.processes.check()
            return [state for state, _ in days()] == ["success"] * count

        wait_until(are_there, seconds=180, what=f"{count} runs of days")

    def days() -> list[tuple[str, str]]:
        return airflow.rows(
            "select state, data_interval_start from dag_run where run_type = 'dataset_triggered'"
        )

    unpause(airflow, "daily_of_assets")
    pair.run("hourly_assets", "2025-03-20T05:00:00+00:00")
    airflow.processes.start("scheduler", airflow.command("scheduler"), airflow.environment, airflow.home)
    wait_for_runs(1)
    # Airflow's data interval is that of the run that made the event
    assert [at for _, at in days()] == ["2025-03-20 04:00:00.000000"]
    assert pair.differences() == []
    pair.add_late_point()
    with airflow.alone_with_database():
        pair.run("hourly_assets", "2025-03-20T06:00:00+00:00")
    wait_for_runs(2)
    assert pair.differences() == []
