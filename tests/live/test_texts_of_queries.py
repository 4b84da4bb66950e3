"""Texts that the server's CSV changes in checks, questions and deletes; bytes that are no text."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.requests import Request
from airflow_provider_influx_rollup.client.transport import Transport
from airflow_provider_influx_rollup.exceptions import (
    InfluxRollupError,
    QueryFailed,
    WindowsFailed,
)
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.lifecycle.completeness.completeness import check_windows
from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
from airflow_provider_influx_rollup.lifecycle.deadman.deadman import check_deadman
from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec
from airflow_provider_influx_rollup.lifecycle.erase.source import delete_matching
from airflow_provider_influx_rollup.lifecycle.query.query import QuerySpec, run_query
from airflow_provider_influx_rollup.lifecycle.rollup_script.rollup_script import ScriptSpec, roll_up_by_script
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes import validation_runs
from tests.scenes.reconcile_runs import sweep
from tests.scenes.rollup_runs import RUN, Place, make_place, now, roll
from tests.scenes.text_scene import HOUR, START, influxql, put, stored

pytestmark = pytest.mark.live

Make = Callable[[], str]


@pytest.fixture
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    made = make_place(influx, client)
    return Place(influx, client, made.source, made.target, made.ledger, "m")


def test_sensor_and_deadman_see_two_series_when_a_carriage_return_is_all_that_differs(
    place: Place, influx: InfluxServer, bucket_factory: Make
) -> None:
    put(influx, place.source, "m,host=srv1 v=1", "m,host=srv1\r v=2")
    completeness = CompletenessSpec(
        bucket=place.source, measurement="m", expected=2, ledger_bucket=place.ledger
    )
    event = look_at_hour(place.client, completeness)
    assert event is not None
    assert event["series"] == 2
    statuses = bucket_factory()
    spec = DeadmanSpec(bucket=place.source, measurement="m", status_bucket=statuses)
    result = drive(check_deadman(spec, HOUR), place.client, lambda _report: None).as_json()
    assert (result["expected"], result["alive"], result["dead_count"]) == (2, 2, 0)
    later = Interval(HOUR.stop, HOUR.stop + timedelta(hours=1))
    result = drive(check_deadman(spec, later), place.client, lambda _report: None).as_json()
    assert {one["series"]["host"] for one in result["dead"]} == {"srv1", "srv1\r"}
    assert result["newly_dead_count"] == 2
    tags = {tag for key in stored(influx, statuses, "statuses") for tag in key if tag.startswith("host=")}
    assert tags == {"host=srv1", "host=srv1\r"}


def test_one_device_with_other_bytes_than_text_does_not_stop_the_checks_of_the_others(
    place: Place, influx: InfluxServer, bucket_factory: Make
) -> None:
    put(influx, place.source, b"m,site=K\xf6ln v=1", b"m,site=Berlin v=2")
    event = look_at_hour(
        place.client,
        CompletenessSpec(bucket=place.source, measurement="m", expected=2, ledger_bucket=place.ledger),
    )
    assert event is not None
    assert event["series"] == 2
    spec = DeadmanSpec(bucket=place.source, measurement="m", status_bucket=bucket_factory())
    assert drive(check_deadman(spec, HOUR), place.client, lambda _report: None).as_json()["alive"] == 2
    later = Interval(HOUR.stop, HOUR.stop + timedelta(hours=1))
    result = drive(check_deadman(spec, later), place.client, lambda _report: None).as_json()
    assert {one["series"]["site"] for one in result["dead"]} == {"K\\xf6ln", "Berlin"}


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (b"m,site=K\xf6ln v=1", r"site=K\\xf6ln"),
        (b'm,site=a s="x\xf6"', r"x\\xf6, site=a"),
        (b"m,site=a v\xf6=1", r"v\\xf6"),
        (b"m,si\xf6te=a v=1", r"si\\xf6te"),
    ],
)
def test_rollup_names_the_series_when_bytes_are_no_text(
    place: Place, influx: InfluxServer, bad: bytes, told: str
) -> None:
    put(influx, place.source, b'm,site=b v=2,s="t"', bad)
    with pytest.raises(QueryFailed, match=told) as caught:
        roll(place.client, place.spec("1h", {"*": ("count", "last")}), HOUR)
    assert "DELETE FROM" in str(caught.value)


def test_rollup_commits_the_other_windows_when_a_series_of_one_is_no_text(
    place: Place, influx: InfluxServer
) -> None:
    put(influx, place.source, b"m,site=b v=2", b"m,site=K\xf6ln v=1")
    place.client.write_lines(place.source, [f"m,site=b v=3 {HOUR.stop_ns}"])
    two_hours = Interval(HOUR.start, HOUR.stop + timedelta(hours=1))
    with pytest.raises(WindowsFailed, match=r"1 of 2 windows failed.*site=K\\xf6ln"):
        roll(place.client, place.spec("1h", ("count", "sum")), two_hours)
    assert sorted(place.states().values()) == ["COMMITTED", "WRITING"]


def test_points_of_other_bytes_are_gone_when_they_are_deleted_as_the_message_says(
    place: Place, influx: InfluxServer
) -> None:
    put(influx, place.source, b"m,site=K\xf6ln v=1", b"m,site=Berlin v=2")
    with pytest.raises(QueryFailed, match="To do: write these points again as UTF-8"):
        roll(place.client, place.spec("1h", ("count",)), HOUR)
    influxql(influx, place.source, 'DELETE FROM "m" WHERE "site" =~ /^K.ln$/', changes=True)
    roll(place.client, place.spec("1h", ("count",)), HOUR)
    assert stored(influx, place.target) == {("site=Berlin",): {"v_count": 1}}


def test_question_returns_texts_as_they_are_when_values_or_parameters_have_carriage_returns(
    place: Place, influx: InfluxServer
) -> None:
    put(influx, place.source, 'm,host=a\r s="x\r\ny"')
    flux = f"""// one "comment", with a quote
import "strings"
from(bucket: "{place.source}") |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> map(fn: (r) => ({{r with given: params.text, length: strings.strlen(v: params.text)}})) // no yield"""
    answer = drive(
        run_query(QuerySpec(flux, {"text": 'say "hi",\r\n\r'}), HOUR), place.client, lambda _report: None
    ).as_json()
    (row,) = answer["first_rows"]
    assert (row["host"], row["_value"], row["given"], row["length"]) == (
        "a\r",
        "x\r\ny",
        'say "hi",\r\n\r',
        12,
    )


def test_series_are_deleted_by_a_tag_value_with_a_carriage_return(place: Place, influx: InfluxServer) -> None:
    put(influx, place.source, "m,host=srv1 v=1", "m,host=srv1\r,rack=2 v=2", "m,host=srv1\r v=3")
    mine = RollupSource(place.source, "m", {"host": ("srv1\r",)})
    drive(
        delete_matching(mine, Interval(START, START + timedelta(minutes=2))),
        place.client,
        lambda _report: None,
    )
    assert stored(influx, place.source) == {("host=srv1",): {"v": 1}, ("host=srv1\r",): {"v": 3}}


def test_bytes_that_are_no_text_are_named_when_points_are_validated_or_reconciled(
    place: Place, influx: InfluxServer
) -> None:
    put(influx, place.source, "m,site=b v=1")
    spec = place.spec("1h", ("count", "p50"))
    roll(place.client, spec, HOUR)
    put(influx, place.source, "m,site=b v=1", b"m,site=K\xf6ln v=2")
    rules = rules_of([{"rule": "range", "field": "v", "high": 1}])
    validation = ValidateSpec(bucket=place.source, measurement="m", rules=rules, ledger_bucket=place.ledger)
    with pytest.raises(QueryFailed, match=r"site=K\\xf6ln.*DELETE FROM"):
        validation_runs.run(place.client, validation, HOUR, START + timedelta(days=2))
    with pytest.raises(InfluxRollupError, match=r"site=K\\xf6ln"):
        sweep(place.client, spec, HOUR)


def test_script_runs_once_for_each_window_when_its_rows_are_quoted(
    place: Place, influx: InfluxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(influx, place.source, "m,host=a\\,b\r v=1")
    script = f"""from(bucket: "{place.source}") |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> aggregateWindow(every: 1h, fn: count, timeSrc: "_start") |> to(bucket: "{place.target}")"""
    spec = ScriptSpec(script=script, target_bucket=place.target, ledger_bucket=place.ledger, name="s")
    sent: list[bytes] = []
    stream = Transport.stream

    def counted(self: Transport, request: Request, **more: Any) -> Generator[bytes, None, None]:
        if request.path.startswith("/api/v2/query?"):
            sent.append(request.body or b"")
        return stream(self, request, **more)

    monkeypatch.setattr(Transport, "stream", counted)
    drive(roll_up_by_script(spec, HOUR, RUN, now), place.client, lambda _report: None)
    assert len([body for body in sent if b"aggregateWindow" in body]) == 2, "its plan, and the run"
    assert stored(influx, place.target) == {("host=a,b\r",): {"v": 1}}


@pytest.mark.parametrize(("tag", "queries"), [("plain", 1), ("a\\,b", 2), ("a\\,b\r", 3)])
def test_query_is_asked_again_only_when_a_text_may_have_lost_something(
    place: Place, influx: InfluxServer, monkeypatch: pytest.MonkeyPatch, tag: str, queries: int
) -> None:
    put(influx, place.source, f"m,host={tag} v=1")
    sent: list[str] = []
    stream = Transport.stream

    def counted(self: Transport, request: Request, **more: Any) -> Generator[bytes, None, None]:
        sent.append(request.path)
        return stream(self, request, **more)

    monkeypatch.setattr(Transport, "stream", counted)
    flux = f'from(bucket: "{place.source}") |> range(start: 0)'
    (row,) = place.client.query_rows(flux, is_own=True)
    assert row["host"] == tag.replace("\\", "")
    assert len(sent) == queries
    (table,) = place.client.query_arrow(flux, is_own=True)
    assert table.column("host").to_pylist() == [row["host"]]
    assert len(sent) == 2 * queries


def look_at_hour(client: InfluxClient, spec: CompletenessSpec) -> dict[str, Any] | None:
    steps = check_windows(spec, HOUR, lambda: START + timedelta(days=2))
    found = drive(steps, client, lambda _report: None)
    return found and found.as_json()


def test_query_of_a_user_is_read_whole_whatever_its_form_is(client: InfluxClient) -> None:
    on_one_line = r'import "array" array.from(rows: [{_value: "a,b\r\nc"}])'
    assert [row["_value"] for row in client.query(on_one_line)] == ["a,b\r\nc"]
    several = r'import "array" import "strings" rows = array.from(rows: [{_value: "a,\rb"}]) rows |> yield(name: "n")'
    assert [row["_value"] for row in client.query(several)] == ["a,\rb"]
    assert [table["_value"].to_pylist() for table in client.query_arrow(several)] == [["a,\rb"]]


def test_query_of_a_user_runs_once_when_it_writes(
    client: InfluxClient, bucket_factory: Callable[[str], str]
) -> None:
    bucket = bucket_factory("once")
    # each run writes a point of its own
    script = f"""import "array" import "system"
        array.from(rows: [{{_time: system.time(), _measurement: "m", _field: "v", _value: 1.0, host: "a,b"}}])
        |> to(bucket: "{bucket}", tagColumns: ["host"])"""
    assert client.query(script)
    counted = client.query(
        f'from(bucket: "{bucket}") |> range(start: 2000-01-01T00:00:00Z) |> group() |> count()'
    )
    assert [row["_value"] for row in counted] == [1]
