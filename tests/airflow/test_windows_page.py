"""The windows page, as Airflow's own web server has it: who may see it, and what its API answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.links.windows import IS_THREE
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant
from tests.conftest import InfluxServer
from tests.scenes.rollup_runs import Place, make_place, now
from tests.scenes.windows_page import (
    ANONYMOUS,
    FOREIGN,
    FORM_TYPES,
    OPERATOR,
    OWN_PAGE,
    PREFIX,
    VIEWER,
    Answer,
    Asked,
    ask_page,
)

pytestmark = [pytest.mark.live, pytest.mark.airflow]

API = f"{PREFIX}/api/connections/tele"
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
DAY = Interval(MIDNIGHT, MIDNIGHT + timedelta(days=1))
#: rolled up; the hours after them are missing, but for one that lost its run
DONE = Interval(MIDNIGHT, MIDNIGHT + timedelta(hours=6))
LATE = MIDNIGHT + timedelta(hours=2, minutes=30)


@pytest.fixture(scope="module")
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    return make_place(influx, client)


@pytest.fixture(scope="module")
def spec(place: Place) -> RollupSpec:
    """A pipeline: six hours are done, and a point came late to the third one."""
    made = place.spec(grid="1h", aggregates=("count", "max"))
    times = [MIDNIGHT + timedelta(minutes=10 * number) for number in range(6 * 24)]
    place.client.write_lines(place.source, [line(place, at) for at in times])
    run = RunInfo(dag_id="telemetry", task_id="rollup", run_id="manual", try_number=1)
    drive(roll_up(made, DONE, run, now), place.client, lambda _report: None)
    place.client.write_lines(place.source, [line(place, LATE + timedelta(seconds=7))])
    return made


def line(place: Place, at: datetime) -> str:
    return f"{place.measurement},device=a temp=20 {int(at.timestamp()) * 10**9}"


@pytest.fixture(scope="module")
def paths(place: Place, spec: RollupSpec) -> dict[str, str]:
    """What the operator asks, by a short name."""
    ledger = {"ledger": place.ledger}
    day = {"from": format_instant(DAY.start), "to": format_instant(DAY.stop)}
    one = {"pipeline": spec.pipeline_name, **ledger}
    asked: dict[str, tuple[str, dict[str, str]]] = {
        "pipelines": ("pipelines", ledger),
        "grid": ("grid", {**ledger, **day}),
        "coarse": ("grid", {**ledger, **day, "cells": "4"}),
        "window": ("window", {**one, "start": format_instant(LATE)}),
        "plan": ("plan", {**one, **day}),
        "verify": ("verify", {**one, "from": day["from"], "to": format_instant(DONE.stop)}),
        "silent": ("silent", one),
        "lateness": ("lateness", {**one, **day}),
        "too many": ("verify", {**one, "from": "2020-01-01", "to": day["to"]}),
        "unknown pipeline": ("window", {**one, "pipeline": "nobody's", "start": day["from"]}),
        "no ledger": ("pipelines", {"ledger": "no-such"}),
        "no ledger's grid": ("grid", {"ledger": "no-such"}),
        "no time": ("grid", {**ledger, "from": "yesterday"}),
        "backwards": ("grid", {**ledger, "from": day["to"], "to": day["from"]}),
        "cells": ("grid", {**ledger, "cells": "100000"}),
    }
    found = {name: f"{API}/{path}?{urlencode(values)}" for name, (path, values) in asked.items()}
    found["other type"] = f"{PREFIX}/api/connections/postgres/pipelines"
    found["no connection"] = f"{PREFIX}/api/connections/nowhere/pipelines"
    found["down"] = f"{PREFIX}/api/connections/down/pipelines"
    return found


@pytest.fixture(scope="module")
def asked(influx: InfluxServer, paths: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Asked:
    tele = {
        "conn_type": "influx_rollup",
        "host": influx.url,
        "password": influx.token,
        "extra": {"org": influx.org, "deadline_seconds": 0.3},
    }
    connections: dict[str, dict[str, Any]] = {
        "tele": tele,
        "down": {**tele, "host": "http://127.0.0.1:1"},
        "postgres": {"conn_type": "postgres", "host": influx.url, "password": influx.token},
    }
    return ask_page(tmp_path_factory.mktemp("page"), connections, list(paths.values()))


@pytest.fixture
def answer_to(asked: Asked, paths: dict[str, str]) -> Any:
    def answer(name: str) -> Answer:
        return asked.of(OPERATOR, paths[name])

    return answer


def test_routes_are_found_when_airflow_has_loaded_the_plugin(asked: Asked) -> None:
    assert len(asked.routes) >= 9
    assert {method for method, _ in asked.routes} == {"GET"}
    assert ("GET", f"{PREFIX}/") in asked.routes
    assert ("GET", f"{PREFIX}/static/windows.js") in asked.routes


@pytest.mark.parametrize(("user", "status"), [(ANONYMOUS, 401), (VIEWER, 403)])
def test_every_route_refuses_when_the_user_has_no_right(asked: Asked, user: str, status: int) -> None:
    answers = [one for one in asked.answers if one.user == user]
    assert len(answers) == len(asked.routes)
    assert {one.path: one.status for one in answers if one.status != status} == {}


def test_no_route_takes_anything_when_it_is_not_a_get(asked: Asked) -> None:
    changing = [one for one in asked.answers if one.method != "GET" and one.path.startswith(PREFIX)]
    assert len(changing) == 4 * len(asked.routes)
    assert {one.status for one in changing} == {405}


def test_the_operator_sees_the_page_when_connections_may_be_read(asked: Asked) -> None:
    page = asked.of(OPERATOR, f"{PREFIX}/")
    assert page.status == 200
    headers = {name.lower(): value for name, value in page.headers.items()}
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert asked.of(OPERATOR, f"{PREFIX}/api/connections").json["connections"] == ["down", "tele"]


def test_no_answer_has_the_token_when_everything_is_asked(asked: Asked, influx: InfluxServer) -> None:
    texts = [one.text + json.dumps(dict(one.headers)) for one in asked.answers]
    assert len(texts) > 30
    assert [text for text in texts if influx.token in text] == []


def test_windows_have_their_states_when_the_grid_is_asked(answer_to: Any, spec: RollupSpec) -> None:
    (pipeline,) = answer_to("pipelines").json["pipelines"]
    assert (pipeline["pipeline"], pipeline["tier"], pipeline["every"]) == (spec.pipeline_name, 0, "1h")
    (row,) = answer_to("grid").json["rows"]
    assert row["states"] == {"missing": 18, "committed": 6}
    assert [next(iter(counts)) for _, _, counts in row["cells"]] == ["committed"] * 6 + ["missing"] * 18
    (coarse,) = answer_to("coarse").json["rows"]
    assert [counts for _, _, counts in coarse["cells"]] == [{"committed": 6}] + [{"missing": 6}] * 3


def test_a_window_tells_its_run_and_flux_when_it_is_asked(answer_to: Any) -> None:
    story = answer_to("window").json
    assert story["receipt"]["state"] == "COMMITTED"
    assert (story["receipt"]["dag_id"], story["receipt"]["run_id"]) == ("telemetry", "manual")
    assert story["receipt"]["run_url"].startswith("/dags/telemetry/")
    assert format_instant(MIDNIGHT + timedelta(hours=2)) in story["explained"]["flux"][0]


def test_a_plan_has_its_cost_and_commands_when_it_is_asked(answer_to: Any, spec: RollupSpec) -> None:
    told = answer_to("plan").json
    assert told["plan"]["needed"]["windows"] == 18
    assert told["plan"]["needed"]["points"] == 18 * 6
    assert told["dag_id"] == "telemetry"
    last = format_instant(DAY.stop - timedelta(seconds=1))
    assert told["backfill"] == {"start": format_instant(DAY.start), "stop": last}
    assert last in told["commands"][1]["text"]
    assert [one["name"] for one in told["commands"]] == ["plan", "backfill", "verify", "reconcile"]
    assert f"'{spec.pipeline_name}'" in told["commands"][0]["text"]


def test_a_window_is_dirty_when_a_point_came_late(answer_to: Any) -> None:
    told = answer_to("verify").json
    assert told["compared"] == 6
    assert [one["window"]["start"] for one in told["dirty"]] == [
        format_instant(MIDNIGHT + timedelta(hours=2))
    ]


def test_the_points_of_a_pipeline_are_told_of_when_they_have_stopped(answer_to: Any) -> None:
    silent = answer_to("silent").json
    last = format_instant(MIDNIGHT + timedelta(hours=23, minutes=50))
    assert (silent["series_total"], silent["silent_total"]) == (1, 1)
    assert silent["series"] == [{"tags": {"device": "a"}, "last_seen": last}]
    # committed more than a day after their stop, so that nothing is known of how late their points were
    assert (answer_to("lateness").json["rows"], answer_to("lateness").json["unwatched_windows"]) == ([], 6)


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [
        ("too many", 400, "too many to be compared"),
        ("unknown pipeline", 404, "knows no pipeline"),
        ("no ledger", 404, "no bucket 'no-such'"),
        ("no ledger's grid", 404, "no bucket 'no-such'"),
        ("no time", 400, "from"),
        ("backwards", 400, "is not before"),
        ("cells", 400, "from 1 to 1000"),
        ("other type", 400, "is of the type 'postgres'"),
        ("no connection", 404, "no connection 'nowhere'"),
        ("down", 502, "127.0.0.1:1"),
    ],
)
def test_an_error_says_what_is_wrong_when_it_cannot_be_answered(
    answer_to: Any, name: str, status: int, told: str
) -> None:
    answer = answer_to(name)
    assert (answer.status, told in answer.json["error"]) == (status, True), answer.text


@pytest.mark.skipif(not IS_THREE, reason="the page has no button on 2.11")
def test_backfill_is_refused_when_another_origin_asks_for_it(asked: Asked) -> None:
    path = "/api/v2/backfills"
    before = asked.of(FOREIGN, path, "OPTIONS")
    assert before.status >= 400
    assert [name for name in before.headers if name.lower().startswith("access-control-allow")] == []
    assert asked.of(FOREIGN, path, "POST").status == 401
    for kind in FORM_TYPES:
        assert asked.of(f"{FOREIGN} {kind}", path, "POST").status == 422
    # what Airflow's own page sends comes as far as the DAG
    assert "Could not find dag none-such" in asked.of(OWN_PAGE, path, "POST").text
