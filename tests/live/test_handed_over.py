"""A pipeline gives a column up, and another one takes it over with the rows that are there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.oracle import query
from tests.scenes.rollup_runs import RUN, Place, interval, make_place, now

pytestmark = pytest.mark.live

FIRST = interval("2025-03-08T00:00", "2025-03-08T01:00")
SECOND = interval("2025-03-08T01:00", "2025-03-08T02:00")
THIRD = interval("2025-03-08T02:00", "2025-03-08T03:00")
DAY = interval("2025-03-08", "2025-03-09")
GIVER, TAKER = replace(RUN, task_id="giver"), replace(RUN, task_id="taker")


@pytest.fixture
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    return make_place(influx, client)


def columns(place: Place, window: Interval) -> set[str]:
    """The fields that a window has in the target."""
    span = f"start: time(v: {window.start_ns}), stop: time(v: {window.stop_ns})"
    flux = f'from(bucket: "{place.target}") |> range({span})'
    rows = query(place.server.url, place.server.org, place.server.token, flux)
    return {row["_field"] for row in rows}


def test_rows_of_points_that_are_gone_go_when_another_pipeline_has_taken_their_column_over(
    client: InfluxClient, place: Place
) -> None:
    def run(spec: RollupSpec, window: Interval) -> None:
        drive(roll_up(spec, window, TAKER if spec is taker else GIVER, now), client, lambda _: None)

    before = place.spec("1h", ("count", "max"), fields=("temp",), pipeline="giver")
    after = place.spec("1h", ("count",), fields=("temp",), pipeline="giver")
    taker = place.spec("1h", ("max",), fields=("temp",), pipeline="taker")
    lines = [
        f"{place.measurement},device=a temp=1.0 {window.start_ns + 1}" for window in (FIRST, SECOND, THIRD)
    ]
    client.write_lines(place.source, lines)
    run(before, FIRST)
    run(taker, SECOND)
    run(after, SECOND)
    client.delete(place.source, FIRST, f'_measurement="{place.measurement}"')
    run(after, FIRST)
    # left to the one that has taken it over
    assert columns(place, FIRST) == {"temp_max"}
    run(taker, FIRST)
    assert columns(place, FIRST) == set()
    # the former one has never written the column here, whatever it has written
    run(after, THIRD)
    client.write_lines(place.target, [f"{place.measurement},device=z temp_max=9.0 {THIRD.start_ns}"])
    with pytest.raises(ConfigurationError, match="has no receipt of"):
        run(taker, THIRD)
    assert columns(place, THIRD) == {"temp_count", "temp_max"}


@pytest.mark.parametrize(
    ("first", "then", "spans"),
    [
        # in the second window it has written another measurement
        ({}, {"target_measurement": "elsewhere"}, (FIRST, SECOND)),
        # a value of a day is none of the hour that begins with it
        ({"grid": "1d"}, {"grid": "1d", "aggregates": ("count",)}, (DAY, DAY)),
    ],
)
def test_value_stays_that_a_former_pipeline_has_not_written_in_this_window_and_place(
    client: InfluxClient, place: Place, first: dict[str, Any], then: dict[str, Any], spans: list[Interval]
) -> None:
    client.write_lines(
        place.source,
        [f"{place.measurement},device=a temp=1.0 {window.start_ns + 1}" for window in (FIRST, SECOND)],
    )
    for changed, span in zip((first, then), spans, strict=True):
        giver = {"grid": "1h", "aggregates": ("max",), "fields": ("temp",), "pipeline": "giver", **changed}
        drive(roll_up(place.spec(**giver), span, GIVER, now), client, lambda _: None)
    window = SECOND if spans[0] is FIRST else FIRST
    client.write_lines(place.target, [f"{place.measurement},device=z temp_max=9.0 {window.start_ns}"])
    taker = place.spec("1h", ("max",), fields=("temp",), pipeline="taker")
    with pytest.raises(ConfigurationError, match="has no receipt of"):
        drive(roll_up(taker, window, TAKER, now), client, lambda _: None)
    assert "temp_max" in columns(place, window)
