"""Texts that the server's CSV changes: rollups, reconciles and validations have them as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import (
    InvalidName,
)
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.validation.catalog import rules_of
from tests.conftest import InfluxServer
from tests.scenes import validation_runs
from tests.scenes.reconcile_runs import sweep
from tests.scenes.rollup_runs import Place, make_place, roll
from tests.scenes.text_scene import HOUR, START, influxql, name, put, stored, text

pytestmark = pytest.mark.live

Make = Callable[[], str]


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
    spec = ValidateSpec(
        bucket=place.source, measurement="m", rules=rules, clean_bucket=clean, ledger_bucket=place.ledger
    )
    right = {("host=srv1",): {"v": 1, "s": "x\r\ny"}, ("host=srv1\r",): {"v": 2, "s": "a\rb"}}
    first = validation_runs.run(place.client, spec, HOUR, START + timedelta(days=2))
    assert stored(influx, clean) == right
    assert first["clean"].get("merged", 0) == 0
    # the series leaves the source, and its copy leaves the clean bucket
    influxql(influx, place.source, "DELETE FROM m WHERE host =~ /\\r/", changes=True)
    validation_runs.run(place.client, spec, HOUR, START + timedelta(days=2))
    assert stored(influx, clean) == {("host=srv1",): right["host=srv1",]}


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
