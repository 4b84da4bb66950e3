"""The windows page in a real browser, on this Airflow: drawn, used, checked by axe-core, and beside a backfill that runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.lifecycle.plan.coverage import coverage
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant
from dev.airflow_backfill import Backfill, make_ready, run_backfill, unpause
from dev.airflow_process import PASSWORD, USER, AirflowProcess
from dev.influx_http import InfluxAddress
from tests.scenes.windows_page_ledger import PageLedger, fill

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.slow, pytest.mark.browser]

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = REPOSITORY / "dev" / "windows_page"
#: pictures of the guide are kept where this says
PICTURES = os.environ.get("WINDOWS_PAGE_PICTURES")
LATEST_SECONDS = 5.0
DAG = """
from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator

six_hours = CronDataIntervalTimetable("0 */6 * * *", timezone="UTC")
with DAG("telemetry", schedule=six_hours, start_date=datetime(2025, 1, 1, tzinfo=UTC), catchup=False):
    FluxRollupOperator(
        task_id="rollup",
        source_bucket="{source}",
        target_bucket="{target}",
        measurement="disk",
        aggregates=["count", "sum", "max"],
        every="1h",
        lateness="10m",
        ledger_bucket="{ledger}",
    )
"""


@dataclass(frozen=True)
class Site:
    """A running Airflow, and what its page shows."""

    airflow: AirflowProcess
    client: InfluxClient
    scene: PageLedger
    name: str

    def script(self, name: str, *arguments: str) -> list[str]:
        """What a script of the browser prints, by line."""
        done = subprocess.run(
            ["node", name, self.airflow.url, *arguments],
            cwd=SOURCES,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


@pytest.fixture(scope="module", autouse=True)
def browser() -> None:
    """Chromium, Node.js and the packages of the sources."""
    chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    if not shutil.which("node") or not Path(chromium).exists() or not (SOURCES / "node_modules").exists():
        pytest.fail(
            f"node, {chromium} or {SOURCES}/node_modules is missing: apt-get install chromium; make page"
        )


@pytest.fixture(scope="module")
def site(
    new_organisation: Callable[[], InfluxAddress], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """An Airflow whose page has a ledger with windows in every state, and a DAG of one of its pipelines."""
    address = new_organisation()
    settings = ClientSettings(url=address.url, org=address.org, token=lambda _refresh: address.token)
    home = tmp_path_factory.mktemp("page-airflow")
    with InfluxClient(settings) as client:
        scene = fill(client, "telemetry")
        dags = home / "dags"
        dags.mkdir()
        names = {"source": scene.behind.source_bucket, "target": scene.behind.target_bucket}
        (dags / "telemetry.py").write_text(DAG.format(**names, ledger=scene.ledger))
        paths = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
        options = {
            "AIRFLOW__INFLUX_ROLLUP__PAGE_CONNECTIONS": "influx_rollup_default",
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        }
        with AirflowProcess(home, dags, address, environment=options) as airflow:
            airflow.start(user_interface=True)
            make_ready(airflow, "telemetry")
            yield Site(airflow, client, scene, "3x" if airflow.is_three else "2x")


@pytest.fixture(scope="module")
def found(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a look at the page has found."""
    day = site.scene.late.start.replace(hour=0)
    scene = {
        "user": USER,
        "password": PASSWORD,
        "ledger": site.scene.ledger,
        "pipeline": site.scene.hourly.pipeline_name,
        "late": site.scene.late.as_json(),
        "around": Interval(day, day + timedelta(days=1)).as_json(),
        "framed": site.airflow.is_three,
    }
    pictures = PICTURES or str(tmp_path_factory.mktemp("pictures"))
    (line,) = site.script("browser.mjs", pictures, site.name, json.dumps(scene))
    told: dict[str, Any] = json.loads(line)
    return told


def test_nothing_is_wrong_and_nothing_foreign_is_loaded_when_the_page_is_used(found: dict[str, Any]) -> None:
    assert (found["errors"], found["foreign"]) == ([], [])


def test_axe_finds_nothing_serious_when_it_looks_at_each_view(found: dict[str, Any]) -> None:
    assert found["serious"].keys() == {"overview", "window", "plan", "points", "dark", "phone"}
    assert {view: bad for view, bad in found["serious"].items() if bad} == {}


def test_states_are_shown_when_the_ledger_has_them(found: dict[str, Any], site: Site) -> None:
    facts = found["facts"]
    assert set(facts["legend"]) == {
        "missing",
        "writing",
        "incomplete",
        "stale spec",
        "planned",
        "purged",
        "archived",
        "committed",
        "not due",
    }
    head, *rows = [line.split("\t") for line in facts["rows"].splitlines()[1:]]
    (cpu,) = [dict(zip(head, row, strict=False)) for row in rows if row[0] == site.scene.hourly.pipeline_name]
    # the window of the run that was killed
    assert cpu["writing"] == "1"


def test_a_late_point_shows_as_dirty_when_windows_are_compared(found: dict[str, Any]) -> None:
    assert found["facts"]["verified"].startswith("1 window of 1 differ from the source")
    assert "new points" in found["facts"]["verified"]


def test_keys_move_and_open_when_there_is_no_mouse(found: dict[str, Any], site: Site) -> None:
    assert site.scene.hourly.pipeline_name in found["facts"]["spoken"]
    assert "from=" in found["facts"]["zoomed"] or "start=" in found["facts"]["zoomed"]


def test_details_are_those_of_the_window_when_a_link_names_it(found: dict[str, Any], site: Site) -> None:
    facts = found["facts"]
    assert site.scene.hourly.pipeline_name in facts["window"]
    assert f"start: {format_instant(site.scene.late.start)}" in facts["flux"]
    assert [text.split()[1] for text in facts["commands"] if text.startswith("influx-rollup")] == [
        "plan",
        "verify",
        "reconcile",
    ]
    assert facts["backfill"] == (1 if site.airflow.is_three else 0)
    assert "device=b-2" in facts["points"]


def test_the_page_fits_when_it_is_dark_or_on_a_phone(found: dict[str, Any]) -> None:
    assert (found["facts"]["theme"], found["facts"]["overflow"]) == ("dark", 0)


def test_filters_are_in_the_url_when_the_page_is_inside_of_airflows(
    found: dict[str, Any], site: Site
) -> None:
    assert "/mem->" in found["facts"]["table"]
    assert "/cpu->" not in found["facts"]["table"]
    if site.airflow.is_three:
        assert "2 pipelines" in found["facts"]["framed"]
        assert "q=mem" in found["facts"]["outer"]


def test_commits_show_within_five_seconds_when_a_backfill_runs(site: Site) -> None:
    behind = site.scene.behind
    first = site.scene.torn.stop - timedelta(days=2)
    last = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    last -= timedelta(hours=last.hour % 6 + 1)
    scene = {
        "user": USER,
        "password": PASSWORD,
        "ledger": site.scene.ledger,
        "q": behind.pipeline_name,
        # hours after the last run, and those that are not over
        "missing": 7,
        "press": site.airflow.is_three,
    }
    with ThreadPoolExecutor(2) as pool:
        looking = pool.submit(site.script, "follow.mjs", json.dumps(scene))
        if site.airflow.is_three:
            unpause(site.airflow, "telemetry")
        else:
            asked = Backfill("telemetry", first, last - timedelta(hours=5))
            pool.submit(run_backfill, site.airflow, asked)
        committed: list[tuple[float, int]] = []
        while not looking.done():
            count = len(_committed(site, Interval(last - timedelta(days=7), last + timedelta(hours=1))))
            if not committed or committed[-1][1] != count:
                committed.append((time.time(), count))
            time.sleep(0.2)
        said, line = looking.result()
    if site.airflow.is_three:
        assert "of telemetry has begun" in said
    shown = json.loads(line)
    steps = len(shown) - 1
    assert steps >= 2, shown
    grown = committed[-1][1] - committed[0][1]
    assert grown >= 42
    # at the end both have all; at the beginning a run of the schedule may have committed meanwhile
    base = shown[-1]["committed"] - committed[-1][1]
    for at, count in committed[1:]:
        seen = next((one["at"] for one in shown if one["committed"] - base >= count), None)
        assert seen is not None, (count, shown)
        # a table is not replaced while the focus is in it, as it is until the backfill has begun
        assert seen - max(at, shown[0]["at"]) <= LATEST_SECONDS, (count, seen - at)


def _committed(site: Site, interval: Interval) -> list[Interval]:
    spec = site.scene.behind
    found = drive(coverage(spec, interval, datetime.now(UTC)), site.client, lambda _report: None)
    return [one.window for one in found.windows if one.state.value == "committed"]
