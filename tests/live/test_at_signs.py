"""Tags with an at sign, whose names Flux reads only up to it: filters, groups, texts and writes by queries take the right tag."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.flux.write_points import FluxPoint, write_queries
from tests.conftest import InfluxServer
from tests.scenes.rollup_runs import Place, make_place, roll
from tests.scenes.text_scene import HOUR, START, put, stored

pytestmark = pytest.mark.live

LINES = ("m,a=v,a@b=no x=1", "m,a=no,a@b=v x=2", "m,a@b=w x=4", "m,a=v x=8")


@pytest.fixture
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    made = make_place(influx, client)
    return Place(influx, client, made.source, made.target, made.ledger, "m")


@pytest.mark.parametrize("compute", ["auto", "server"])
@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        ({"a@b": "v"}, {("a=no", "a@b=v"): 2.0}),
        ({"a@b": ("v", "w")}, {("a=no", "a@b=v"): 2.0, ("a@b=w",): 4.0}),
        ({"a@b": ("",)}, {("a=v",): 8.0}),
        ({"a@b": ("",), "a": "v"}, {("a=v",): 8.0}),
        ({"a@b": "no", "a": "v"}, {("a=v", "a@b=no"): 1.0}),
    ],
)
def test_series_are_those_of_the_tag_when_a_filter_names_it(
    place: Place, influx: InfluxServer, compute: str, tags: dict[str, Any], wanted: dict[Any, float]
) -> None:
    put(influx, place.source, *LINES)
    receipt = roll(place.client, place.spec("1h", ("sum",), compute=compute, tags=tags), HOUR)
    assert receipt["rows_in"] == len(wanted)
    assert stored(influx, place.target) == {key: {"x_sum": value} for key, value in wanted.items()}


def test_groups_are_those_of_the_tag_when_it_is_grouped_by(place: Place, influx: InfluxServer) -> None:
    put(influx, place.source, *LINES)
    roll(place.client, place.spec("1h", ("sum",), group_by=("a@b",)), HOUR)
    assert stored(influx, place.target) == {
        ("a@b=no",): {"x_sum": 1.0},
        ("a@b=v",): {"x_sum": 2.0},
        ("a@b=w",): {"x_sum": 4.0},
        (): {"x_sum": 8.0},
    }


@pytest.mark.parametrize("value", ["\r", "a\rb", "end\r"])
def test_carriage_return_stays_when_the_tag_has_one(client: InfluxClient, place: Place, value: str) -> None:
    client.write_lines(place.source, [f"m,a@b={value},c=d x=1 {int(START.timestamp()) * 10**9}"])
    (row,) = client.query(f'from(bucket: "{place.source}") |> range(start: 2000-01-01T00:00:00Z)')
    assert (row["a@b"], row["c"], row["_value"]) == (value, "d", 1.0)


def test_tag_keeps_its_name_when_a_query_writes_its_point(
    client: InfluxClient, influx: InfluxServer, place: Place
) -> None:
    at = int(datetime(2025, 3, 8, tzinfo=UTC).timestamp()) * 10**9
    tags = (("a", "1"), ("a@b", "C:\\"), ("z@", "2"))
    for flux, count in write_queries(
        place.source, [FluxPoint(measurement="m", tags=tags, field="x", kind="float", value=1.5, time_ns=at)]
    ):
        assert count == 1
        client.execute(flux)
    (row,) = client.query(f'from(bucket: "{place.source}") |> range(start: 2000-01-01T00:00:00Z)')
    assert {key: row.get(key) for key in ("a", "a@b", "z@", "z")} == {
        "a": "1",
        "a@b": "C:\\",
        "z@": "2",
        "z": None,
    }
