"""A deadline of Airflow calls the notifier of the watermark: by its own API, scheduler and triggerer, on a real InfluxDB."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dev.airflow_backfill import make_ready, unpause
from dev.airflow_process import PASSWORD, USER, AirflowProcess
from dev.influx_http import InfluxAddress
from dev.processes import wait_until
from tests import oracle

pytestmark = [pytest.mark.airflow, pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(900)]

HERE = Path(__file__).parent
HOUR = timedelta(hours=1)
SECONDS = 240


class Site:
    """An Airflow with a triggerer, and its API."""

    def __init__(self, airflow: AirflowProcess, place: InfluxAddress) -> None:
        self.airflow, self.place = airflow, place
        self._token = self.ask("POST", "/auth/token", username=USER, password=PASSWORD)["access_token"]

    def ask(self, method: str, path: str, **body: Any) -> Any:
        headers = {"Content-Type": "application/json"}
        if path != "/auth/token":
            headers["Authorization"] = f"Bearer {self._token}"
        content = json.dumps(body).encode() if body else None
        request = urllib.request.Request(self.airflow.url + path, content, headers, method=method)
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.load(answer)

    def begin(self, dag_id: str, run_id: str, **more: Any) -> str:
        """Trigger a run; its path in the API."""
        runs = f"/api/v2/dags/{dag_id}/dagRuns"
        self.ask("POST", runs, **{"dag_run_id": run_id, "logical_date": None, **more})
        return f"{runs}/{run_id}"

    def end(self, run: str) -> dict[str, str]:
        """Wait for the end of a run that succeeds; the states of its tasks."""
        self.wait(lambda: self.ask("GET", run)["state"] in ("success", "failed"), f"the end of {run}")
        tasks = self.ask("GET", f"{run}/taskInstances")["task_instances"]
        states = {task["task_id"]: task["state"] for task in tasks}
        assert self.ask("GET", run)["state"] == "success", (states, self.airflow.task_log(run.split("/")[4]))
        return states

    def wait(self, is_done: Callable[[], Any], what: str) -> None:
        def look() -> bool:
            self.airflow.processes.check()
            return bool(is_done())

        wait_until(look, seconds=SECONDS, what=what)


@pytest.fixture(scope="module")
def site(
    new_organisation: Callable[[], InfluxAddress], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("deadline-airflow")
    dags = home / "dags"
    dags.mkdir()
    shutil.copy(HERE / "dags/late.py", dags)
    place = new_organisation()
    with AirflowProcess(home, dags, place) as airflow:
        if not airflow.is_three:
            pytest.skip("Airflow 3.1 and later have deadlines")
        airflow.start(triggerer=True)
        make_ready(airflow, "late")
        yield Site(airflow, place)


def test_deadline_says_that_a_pipeline_is_late_and_that_it_has_come_back(site: Site) -> None:
    place = site.place
    place.fresh_buckets("late_raw", "late_hours", "late_statuses")
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    unpause(site.airflow, "late")

    def levels() -> list[str]:
        flux = (
            'from(bucket: "late_statuses") |> range(start: 0) |> filter(fn: (r) => r._measurement == "statuses" '
            'and r._field == "_message") |> group() |> sort(columns: ["_time"])'
        )
        return [row["_level"] for row in oracle.query(place.url, place.org, place.token, flux)]

    def roll(name: str, stop: datetime) -> None:
        point = f"m temp=1 {int((stop - HOUR).timestamp())}000000000"
        for _ in place.write("late_raw", [point]):
            pass
        conf = {"start": (stop - HOUR).isoformat(), "stop": stop.isoformat()}
        site.end(site.begin("late", name, conf=conf))

    roll("old", now - 10 * HOUR)
    site.wait(lambda: levels() == ["crit"], "the alarm")
    # its own deadline may be called before its windows are committed, and after: both are told of once
    roll("new", now)
    site.wait(lambda: called(site) == 2, "the deadline of the run that has caught up")
    roll("again", now)
    site.wait(lambda: "ok" in levels(), "the recovery")
    assert levels() in (["crit", "ok"], ["crit", "crit", "ok"])


def called(site: Site) -> int:
    """How many deadlines have been called to the end."""
    return int(site.airflow.rows("select count(*) from callback where state = 'success'")[0][0])
