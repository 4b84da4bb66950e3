"""Texts that the server's CSV changes: rollups, checks and copies have them as they are, or say what they cannot."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.requests import Request
from airflow_provider_influx_rollup.client.transport import Transport
from airflow_provider_influx_rollup.exceptions import (
    InfluxRollupError,
    InvalidName,
    QueryFailed,
    WindowsFailed,
)
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.lifecycle.completeness_spec import CompletenessSpec
from airflow_provider_influx_rollup.lifecycle.deadman import check_deadman
from airflow_provider_influx_rollup.lifecycle.deadman_spec import DeadmanSpec
from airflow_provider_influx_rollup.lifecycle.erase_source import delete_matching
from airflow_provider_influx_rollup.lifecycle.query import QuerySpec, ask
from airflow_provider_influx_rollup.lifecycle.rollup_script import ScriptSpec, roll_up_by_script
from airflow_provider_influx_rollup.lifecycle.validate_spec import ValidateSpec
from airflow_provider_influx_rollup.lifecycle.window_complete import check_windows
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.windows.interval import Interval
from tests import validation_runs
from tests.conftest import InfluxServer
from tests.reconcile_runs import sweep
from tests.rollup_runs import RUN, Place, make_place, now, roll

pytestmark = pytest.mark.live

START = datetime(2025, 3, 8, tzinfo=UTC)
START_NS = int(START.timestamp()) * 10**9
HOUR = Interval(START, START + timedelta(hours=1))
MINUTE_NS = 60 * 10**9

Make = Callable[[], str]


def put(influx: InfluxServer, bucket: str, *lines: bytes | str) -> None:
    """Write lines as the bytes that they are; a minute lies between two of them."""
    data = b"\n".join(
        (line if isinstance(line, bytes) else line.encode()) + b" %d" % (START_NS + number * MINUTE_NS)
        for number, line in enumerate(lines)
    )
    query = urllib.parse.urlencode({"org": influx.org, "bucket": bucket, "precision": "ns"})
    _send(influx, f"/api/v2/write?{query}", data)


def _send(influx: InfluxServer, path: str, data: bytes | None = None) -> bytes:
    headers = {"Authorization": f"Token {influx.token}"}
    request = urllib.request.Request(influx.url + path, data, headers)
    with urllib.request.urlopen(request) as answer:
        body: bytes = answer.read()
    return body


def influxql(
    influx: InfluxServer, bucket: str, statement: str, *, changes: bool = False
) -> list[dict[str, Any]]:
    """The series of one InfluxQL statement, whose JSON keeps every character."""
    query = urllib.parse.urlencode({"db": bucket, "q": statement})
    answer = json.loads(_send(influx, f"/query?{query}", b"" if changes else None))
    return answer.get("results", [{}])[0].get("series", [])


def stored(
    influx: InfluxServer, bucket: str, measurement: str = "m"
) -> dict[tuple[str, ...], dict[str, Any]]:
    """Rows of a measurement by their tags, as ``key=value``, without their times."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for series in influxql(influx, bucket, f'SELECT * FROM "{measurement}" GROUP BY *'):  # noqa: S608 - a name of the test
        tags = tuple(sorted(f"{key}={value}" for key, value in series.get("tags", {}).items() if value))
        for values in series["values"]:
            row = dict(zip(series["columns"], values, strict=True))
            row.pop("time")
            found.setdefault(tags, {}).update({key: value for key, value in row.items() if value is not None})
    return found


@pytest.fixture
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    made = make_place(influx, client)
    return Place(influx, client, made.source, made.target, made.ledger, "m")


@pytest.mark.parametrize("compute", ["auto", "server"])
def test_rollup_keeps_carriage_returns_when_values_have_them(
    place: Place, influx: InfluxServer, compute: str
) -> None:
    put(
        influx,
        place.source,
        'm,host=a s="Cisco IOS\r\nSupport"',
        'm,host=a s="a\r"',
        'm,host=a s="a"',
        'm,host=a s="x\ry"',
        'm,host=b s="plain"',
    )
    spec = place.spec("1h", ("first", "last", "count", "distinct"), compute=compute)
    receipt = roll(place.client, spec, HOUR)
    assert receipt["rows_in"] == 5
    assert stored(influx, place.target) == {
        ("host=a",): {"s_first": "Cisco IOS\r\nSupport", "s_last": "x\ry", "s_count": 4, "s_distinct": 4},
        ("host=b",): {"s_first": "plain", "s_last": "plain", "s_count": 1, "s_distinct": 1},
    }


@pytest.mark.parametrize(
    ("compute", "aggregates"),
    [("auto", ("count", "sum", "p50")), ("auto", ("count", "sum")), ("server", ("count", "sum"))],
)
def test_rollup_tells_series_apart_when_a_carriage_return_is_all_that_differs(
    place: Place, influx: InfluxServer, compute: str, aggregates: tuple[str, ...]
) -> None:
    put(influx, place.source, "m,host=srv1 v=4", "m,host=srv1\r v=5", "m,host=srv1\r v=3")
    spec = place.spec("1h", aggregates, compute=compute)
    receipt = roll(place.client, spec, HOUR)
    assert (receipt["rows_in"], receipt["series"]) == (3, 2)
    right = {
        ("host=srv1",): {"v_count": 1, "v_sum": 4, "v_p50": 4},
        ("host=srv1\r",): {"v_count": 2, "v_sum": 8, "v_p50": 4},
    }
    wanted = {f"v_{name}" for name in aggregates}
    assert stored(influx, place.target) == {
        tags: {name: value for name, value in row.items() if name in wanted} for tags, row in right.items()
    }
    assert roll(place.client, spec, HOUR)["checksum"] == receipt["checksum"]


def test_rollup_has_the_row_when_a_field_key_has_a_carriage_return(
    place: Place, influx: InfluxServer
) -> None:
    put(influx, place.source, "m,host=a v\r=3", "m,host=a v=5")
    receipt = roll(place.client, place.spec("1h", ("count", "max", "p50")), HOUR)
    assert receipt["rows_in"] == 2
    assert stored(influx, place.target) == {
        ("host=a",): {
            "v_count": 1,
            "v_max": 5,
            "v_p50": 5,
            "v\r_count": 1,
            "v\r_max": 3,
            "v\r_p50": 3,
        }
    }


def test_ghost_goes_and_its_neighbour_stays_when_a_carriage_return_is_all_that_differs(
    place: Place, influx: InfluxServer
) -> None:
    put(influx, place.source, "m,host=srv1 v=4", "m,host=srv1\r v=5", 'm,host=it\'s\\ "a".*[d)\\ /\r v=6')
    spec = place.spec("1h", ("count", "max"))
    roll(place.client, spec, HOUR)
    influxql(influx, place.source, "DELETE FROM m WHERE host =~ /\\r/", changes=True)
    roll(place.client, spec, HOUR)
    assert stored(influx, place.target) == {("host=srv1",): {"v_count": 1, "v_max": 4}}


def test_rollup_is_refused_when_a_tag_key_has_a_carriage_return(place: Place, influx: InfluxServer) -> None:
    put(influx, place.source, "m,ho\rst=a v=3", "m,host=a v=5")
    with pytest.raises(InvalidName, match=r"'ho\\rst'.*Written: nothing"):
        roll(place.client, place.spec("1h", ("count",)), HOUR)
    roll(place.client, place.spec("1h", ("count",), group_by=("host",)), HOUR)
    assert stored(influx, place.target) == {(): {"v_count": 1}, ("host=a",): {"v_count": 1}}


def test_tier_tells_series_apart_when_a_carriage_return_is_all_that_differs(
    place: Place, influx: InfluxServer, bucket_factory: Make
) -> None:
    put(influx, place.source, 'm,host=a v=4,s="x\r\ny"', 'm,host=a\r v=5,s="z"', 'm,host=a\r v=3,s="q\rr"')
    names = {"v": ("count", "max"), "s": ("first", "last")}
    roll(place.client, place.spec("30m", names, pipeline="fine"), HOUR)
    upper = bucket_factory()
    spec = replace(
        place.spec("1h", names, pipeline="coarse", source_tier="fine"),
        source_bucket=place.target,
        target_bucket=upper,
    )
    roll(place.client, spec, HOUR)
    assert stored(influx, upper) == {
        ("host=a",): {"v_count": 1, "v_max": 4, "s_first": "x\r\ny", "s_last": "x\r\ny"},
        ("host=a\r",): {"v_count": 2, "v_max": 5, "s_first": "z", "s_last": "q\rr"},
    }


@pytest.mark.parametrize("broken", ['s_last="a\nb"', 's_last="a\n b"'])
@pytest.mark.parametrize("strict", [False, True])
def test_reconcile_repairs_a_row_when_its_text_lost_a_carriage_return(
    place: Place, influx: InfluxServer, broken: str, strict: bool
) -> None:
    put(influx, place.source, 'm,host=a s="a\r\nb"')
    spec = place.spec("1h", ("last", "count"), pipeline="p")
    roll(place.client, spec, HOUR)
    assert not sweep(place.client, spec, HOUR, strict=strict)["dirty"]
    put(influx, place.target, f"m,host=a {broken}")
    assert len(sweep(place.client, spec, HOUR, strict=strict)["dirty"]) == 1
    assert stored(influx, place.target) == {("host=a",): {"s_last": "a\r\nb", "s_count": 1}}
    assert not sweep(place.client, spec, HOUR, strict=strict)["dirty"]


def test_validation_judges_and_copies_texts_as_they_are(
    place: Place, influx: InfluxServer, bucket_factory: Make
) -> None:
    put(
        influx,
        place.source,
        'm,host=srv1 v=1,s="ok\r\n"',
        'm,host=srv1\r v=500,s="bad\r\nline"',
        'm,host=srv1\r v=2,s="ok\r\n"',
    )
    quarantine = bucket_factory()
    spec = ValidateSpec(
        bucket=place.source,
        measurement="m",
        rules=rules_of(
            [
                {"rule": "pattern", "field": "s", "pattern": "[a-z]+\r\n(line)?"},
                {"rule": "allowed_values", "field": "s", "values": ["ok\r\n"]},
                {"rule": "range", "field": "v", "high": 100},
                {"rule": "duplicate_series"},
                {"rule": "tag_pattern", "tag": "host", "pattern": "srv[0-9]"},
                {"rule": "cardinality", "max_series": 1},
            ]
        ),
        quarantine_bucket=quarantine,
        ledger_bucket=place.ledger,
    )
    result = validation_runs.run(place.client, spec, HOUR, START + timedelta(days=2))
    by_rule = {rule["rule"].partition(":")[0]: rule["violations"] for rule in result["rules"]}
    assert by_rule == {
        "pattern": 0,
        "allowed_values": 1,
        "range": 1,
        "duplicate_series": 2,
        "tag_pattern": 4,
        "cardinality": 1,
    }
    copies = stored(influx, quarantine)
    assert copies[
        ("host=srv1\r", "validation=" + result["validation"], "violated_rule=allowed_values:s")
    ] == {"s": "bad\r\nline"}
    assert {tags[-1] for tags in copies if tags[0] == "host=srv1"} == {"violated_rule=duplicate_series"}


def test_clean_copies_keep_series_apart_when_a_carriage_return_is_all_that_differs(
    place: Place, influx: InfluxServer, bucket_factory: Make
) -> None:
    clean = bucket_factory()
    put(
        influx,
        place.source,
        'm,host=srv1 v=1,s="x\r\ny"',
        "m,host=srv1\r v=500",
        'm,host=srv1\r v=2,s="a\rb"',
    )
    rules = rules_of([{"rule": "range", "field": "v", "high": 100}])
    spec = ValidateSpec(place.source, "m", rules, clean_bucket=clean, ledger_bucket=place.ledger)
    right = {("host=srv1",): {"v": 1, "s": "x\r\ny"}, ("host=srv1\r",): {"v": 2, "s": "a\rb"}}
    first = validation_runs.run(place.client, spec, HOUR, START + timedelta(days=2))
    assert stored(influx, clean) == right
    assert first["clean"].get("merged", 0) == 0
    # the series leaves the source, and its copy leaves the clean bucket
    influxql(influx, place.source, "DELETE FROM m WHERE host =~ /\\r/", changes=True)
    validation_runs.run(place.client, spec, HOUR, START + timedelta(days=2))
    assert stored(influx, clean) == {("host=srv1",): right["host=srv1",]}


def test_sensor_and_deadman_see_two_series_when_a_carriage_return_is_all_that_differs(
    place: Place, influx: InfluxServer, bucket_factory: Make
) -> None:
    put(influx, place.source, "m,host=srv1 v=1", "m,host=srv1\r v=2")
    completeness = CompletenessSpec(place.source, "m", expected=2, ledger_bucket=place.ledger)
    event = look_at_hour(place.client, completeness)
    assert event is not None
    assert event["series"] == 2
    statuses = bucket_factory()
    spec = DeadmanSpec(place.source, "m", status_bucket=statuses)
    result = drive(check_deadman(spec, HOUR), place.client, lambda _report: None)
    assert (result["expected"], result["alive"], result["dead_count"]) == (2, 2, 0)
    later = Interval(HOUR.stop, HOUR.stop + timedelta(hours=1))
    result = drive(check_deadman(spec, later), place.client, lambda _report: None)
    assert {one["series"]["host"] for one in result["dead"]} == {"srv1", "srv1\r"}
    assert result["newly_dead_count"] == 2
    tags = {tag for key in stored(influx, statuses, "statuses") for tag in key if tag.startswith("host=")}
    assert tags == {"host=srv1", "host=srv1\r"}


def test_one_device_with_other_bytes_than_text_does_not_stop_the_checks_of_the_others(
    place: Place, influx: InfluxServer, bucket_factory: Make
) -> None:
    put(influx, place.source, b"m,site=K\xf6ln v=1", b"m,site=Berlin v=2")
    event = look_at_hour(
        place.client, CompletenessSpec(place.source, "m", expected=2, ledger_bucket=place.ledger)
    )
    assert event is not None
    assert event["series"] == 2
    spec = DeadmanSpec(place.source, "m", status_bucket=bucket_factory())
    assert drive(check_deadman(spec, HOUR), place.client, lambda _report: None)["alive"] == 2
    later = Interval(HOUR.stop, HOUR.stop + timedelta(hours=1))
    result = drive(check_deadman(spec, later), place.client, lambda _report: None)
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


def look_at_hour(client: InfluxClient, spec: CompletenessSpec) -> dict[str, Any] | None:
    steps = check_windows(spec, HOUR, START + timedelta(days=2))
    return drive(steps, client, lambda _report: None)


def test_question_returns_texts_as_they_are_when_values_or_parameters_have_carriage_returns(
    place: Place, influx: InfluxServer
) -> None:
    put(influx, place.source, 'm,host=a\r s="x\r\ny"')
    flux = f"""// one "comment", with a quote
import "strings"
from(bucket: "{place.source}") |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> map(fn: (r) => ({{r with given: params.text, length: strings.strlen(v: params.text)}})) // no yield"""
    answer = drive(
        ask(QuerySpec(flux, {"text": 'say "hi",\r\n\r'}), HOUR), place.client, lambda _report: None
    )
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
    validation = ValidateSpec(place.source, "m", rules, ledger_bucket=place.ledger)
    with pytest.raises(QueryFailed, match=r"site=K\\xf6ln.*DELETE FROM"):
        validation_runs.run(place.client, validation, HOUR, START + timedelta(days=2))
    with pytest.raises(InfluxRollupError, match=r"site=K\\xf6ln"):
        sweep(place.client, spec, HOUR)


# names begin with a letter, since line protocol has rules of its own for other beginnings
NAMES = st.text(st.sampled_from("ab\r\t\"',= é"), max_size=4).map("k{}".format)
TEXTS = st.text(st.sampled_from('a\r\n\t"\\, é#'), max_size=6)


@given(points=st.lists(st.tuples(NAMES, NAMES, TEXTS), min_size=1, max_size=8))
@settings(max_examples=10)
def test_rollup_is_right_whatever_texts_there_are(
    influx: InfluxServer, client: InfluxClient, points: list[tuple[str, str, str]]
) -> None:
    made = make_place(influx, client)
    place = Place(influx, client, made.source, made.target, made.ledger, "m")
    put(
        influx, place.source, *(f"m,host={name(tag)} {name(key)}={text(value)}" for tag, key, value in points)
    )
    result = roll(client, place.spec("1h", ("count", "first", "last", "distinct")), HOUR)
    values: dict[tuple[str, str], list[str]] = {}
    for tag, key, value in points:
        values.setdefault((tag, key), []).append(value)
    right: dict[tuple[str, ...], dict[str, Any]] = {}
    for (tag, key), some in values.items():
        right.setdefault((f"host={tag}",), {}).update(
            {
                f"{key}_count": len(some),
                f"{key}_first": some[0],
                f"{key}_last": some[-1],
                f"{key}_distinct": len(set(some)),
            }
        )
    assert stored(influx, place.target) == right
    assert (result["rows_in"], result["series"]) == (len(points), len(right))
    assert not sweep(client, place.spec("1h", ("count", "first", "last", "distinct")), HOUR)["dirty"]


def name(given: str) -> str:
    """A name in line protocol."""
    for character in ",= ":
        given = given.replace(character, f"\\{character}")
    return given


def text(given: str) -> str:
    """A string value in line protocol."""
    return '"' + given.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_script_runs_once_for_each_window_when_its_rows_are_quoted(
    place: Place, influx: InfluxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(influx, place.source, "m,host=a\\,b\r v=1")
    script = f"""from(bucket: "{place.source}") |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> aggregateWindow(every: 1h, fn: count, timeSrc: "_start") |> to(bucket: "{place.target}")"""
    spec = ScriptSpec(script, place.target, ledger_bucket=place.ledger, name="s")
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
    (row,) = place.client.query(flux)
    assert row["host"] == tag.replace("\\", "")
    assert len(sent) == queries
    (table,) = place.client.query_arrow(flux)
    assert table.column("host").to_pylist() == [row["host"]]
    assert len(sent) == 2 * queries
