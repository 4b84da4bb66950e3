"""What the simulator of ``tests/simulation`` does with a user's script is what a real InfluxDB does, on random points."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.driver import act
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.flux.extern import extern_file, window_values
from airflow_provider_influx_rollup.flux.plan import plan_extern, read_plan
from airflow_provider_influx_rollup.flux.target_read import PointsThere
from airflow_provider_influx_rollup.lifecycle.rollup_script.dry_run import EMPTY_TIME
from airflow_provider_influx_rollup.lifecycle.rollup_script.rows import ScriptRows
from airflow_provider_influx_rollup.steps.influx import Query
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.live.test_simulator_conformance import HOUR, HOURS, SETTINGS, SPAN, TAGS, changed, deletes, times
from tests.scenes.rollup_runs import Place, make_place
from tests.simulation.conformance import Both
from tests.simulation.script_answers import SCRIPT, KnownScript, rows_of_script, write_rows

pytestmark = pytest.mark.live

points = st.tuples(st.sampled_from(TAGS), st.integers(-40, 40), times).map(
    lambda one: f"{one[0]} temp={one[1] * 0.25!r} {one[2]}"
)


@pytest.fixture(scope="module")
def place(influx: Any, client: InfluxClient) -> Place:
    return make_place(influx, client)


def query_of(known: KnownScript, window: Interval) -> Query:
    extern = extern_file(v=window_values(window, Duration.of(HOUR)))
    return Query(known.text(), extern=extern, now=window.stop, as_sent=True)


@given(
    some=st.lists(st.one_of(points, points, points, deletes()), max_size=25),
    windows=st.lists(st.sampled_from(HOURS), min_size=1, max_size=3),
)
@SETTINGS
def test_rows_of_a_script_are_equal(
    client: InfluxClient, place: Place, some: list[Any], windows: list[Interval]
) -> None:
    both = changed(client, place.source, some)
    both.simulated.ensure(place.target)
    known = KnownScript(place.source, both.measurement, place.target, f"{both.measurement}_sums")
    for window in windows:
        query = query_of(known, window)
        simulated = write_rows(both.simulated, rows_of_script(both.simulated, query, known), known)
        assert ScriptRows.of(simulated) == ScriptRows.of(act(query, client))
    real, simulated_there = both.ask(PointsThere(place.target, known.into, SPAN))
    assert ScriptRows.of(simulated_there) == ScriptRows.of(real)


def test_script_is_planned_as_one_that_storage_computes(client: InfluxClient, influx: Any) -> None:
    client.ensure_bucket("raw")
    client.ensure_bucket("rolled")
    query = Query(
        SCRIPT,
        extern=plan_extern(window_values(EMPTY_TIME, Duration.of(HOUR))),
        now=EMPTY_TIME.stop,
        as_sent=True,
    )
    plans = [read_plan(rows) for rows in (act(query, client), Both(client, ()).simulated.act(query))]
    assert [plan is not None and plan.is_pushed_down for plan in plans] == [True, True]
