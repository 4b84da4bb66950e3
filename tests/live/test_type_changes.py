"""A field that changes its type between shards, and a script that cannot work: the advice of the error is true."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import QueryFailed, WriteRejected
from airflow_provider_influx_rollup.lifecycle.rollup_script.rollup_script import ScriptSpec, roll_up_by_script
from airflow_provider_influx_rollup.windows.interval import Interval
from dev.influx_http import InfluxAddress
from tests.conftest import InfluxServer
from tests.oracle import read_target
from tests.scenes.rollup_runs import RUN, Place, interval, make_place, now, roll

pytestmark = pytest.mark.live

TUESDAY, WEDNESDAY = interval("2025-03-04", "2025-03-05"), interval("2025-03-05", "2025-03-06")


def shards_of_a_day(server: InfluxServer, bucket: str) -> None:
    address = InfluxAddress(server.url, server.org, server.token)
    rules = [{"type": "expire", "everySeconds": 0, "shardGroupDurationSeconds": 86_400}]
    path = f"/api/v2/buckets/{address.buckets()[bucket]}"
    address.request("PATCH", path, json.dumps({"retentionRules": rules}).encode())


@pytest.fixture
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    """An integer on Tuesday, a float on Wednesday, in shards of a day; the target has shards of a week."""
    place = make_place(influx, client)
    shards_of_a_day(influx, place.source)
    for day, values in ((TUESDAY, ("1i", "3i")), (WEDNESDAY, ("1.5", "2.5"))):
        lines = [
            f"{place.measurement} raw_value={value} {day.start_ns + n * 3600 * 10**9}"
            for n, value in enumerate(values)
        ]
        client.write_lines(place.source, lines)
    return place


def stored(place: Place, bucket: str, day: Interval) -> dict[str, object]:
    """The row of a day; a read over both would lose one of them."""
    server, edges = place.server, day.as_json()
    rows = read_target(
        server.url, server.org, server.token, bucket, place.measurement, edges["start"], edges["stop"]
    )
    return {row["_field"]: row["_value"] for row in rows.to_dict("records")}


def test_the_advice_works_when_a_field_changes_its_type(influx: InfluxServer, place: Place) -> None:
    spec = place.spec("1d", ("count", "min", "max", "mean", "sum"))
    roll(place.client, spec, TUESDAY)
    with pytest.raises(WriteRejected, match="type conflict") as caught:
        roll(place.client, spec, WEDNESDAY)
    told = str(caught.value)
    assert "a rerun makes them right" not in told
    assert "give the target bucket the source's shard group duration, or leave out aggregates" in told
    # the first advice: another target, with shards of a day
    other = f"{place.target}_days"
    place.client.ensure_bucket(other)
    shards_of_a_day(influx, other)
    for day in (TUESDAY, WEDNESDAY):
        roll(place.client, replace(spec, target_bucket=other), day)
    sums = [stored(place, other, day)["raw_value_sum"] for day in (TUESDAY, WEDNESDAY)]
    assert [repr(value) for value in sums] == ["4", "4.0"]
    # the second: without the aggregates that keep the type
    for day in (TUESDAY, WEDNESDAY):
        roll(place.client, replace(spec, aggregates=("count", "mean", "p50")), day)
    means = [stored(place, place.target, day)["raw_value_mean"] for day in (TUESDAY, WEDNESDAY)]
    assert means == [2.0, 2.0]


def test_a_script_is_to_be_corrected_when_its_query_cannot_work(place: Place) -> None:
    place.client.write_lines(place.source, [f'{place.measurement} text="a" {TUESDAY.start_ns}'])
    flux = f"""from(bucket: "{place.source}") |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
        |> filter(fn: (r) => r._measurement == "{place.measurement}" and r._field == "text")
        |> aggregateWindow(every: 1d, fn: mean) |> to(bucket: "{place.target}")"""
    spec = ScriptSpec(
        script=flux,
        target_bucket=place.target,
        pipeline="own",
        ledger_bucket=place.ledger,
        on_raw_read="allow",
    )
    with pytest.raises(QueryFailed, match="unsupported input type for mean aggregate") as caught:
        drive(roll_up_by_script(spec, TUESDAY, RUN, now), place.client, lambda _report: None)
    assert caught.value.permanent
    assert "correct the script" in str(caught.value)
    assert "run the window again" not in str(caught.value)
