"""The plans of all generated queries: nothing of the source is read raw, but for what the worker asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import act
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.flux.archive import PointsOf
from airflow_provider_influx_rollup.flux.plan import QueryPlan, plan_extern, read_plan, step_kind
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.flux.source_read import FieldSeries
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.steps.influx import Gather, Report
from airflow_provider_influx_rollup.steps.step import Step
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.rollup_runs import MERGEABLE, PUSHED, RUN, Place, interval, make_place, make_points, now
from tests.scenes.sent_flux import flux_of

pytestmark = pytest.mark.live

HOURS = interval("2025-03-08", "2025-03-08T04:00")
# three local days, the second of 23 hours
DAYS = interval("2010-03-13T08:00", "2010-03-16T07:00")
LOS_ANGELES = GridSpec("1d", timezone="America/Los_Angeles")
CHOSEN = {"site": ("berlin", "nairobi"), "note": ("", "早い")}

PUSHED_RUNS: dict[str, tuple[GridSpec, Any, Interval, dict[str, Any]]] = {
    "hours": (GridSpec("1h"), PUSHED, HOURS, {}),
    "offset": (GridSpec("1h", offset="1h"), PUSHED, HOURS, {}),
    "no count stored": (GridSpec("1h"), ("last", "mean"), HOURS, {}),
    "local days, one of 23 hours": (LOS_ANGELES, PUSHED, DAYS, {}),
    "tag filter": (GridSpec("1h"), PUSHED, HOURS, {"tags": CHOSEN}),
    "field globs": (GridSpec("1h"), {"t*": PUSHED, "pack*": ("sum",)}, HOURS, {}),
    "merged series": (GridSpec("1h"), MERGEABLE, HOURS, {"group_by": ("site",), "tags": CHOSEN}),
    "sliding": (GridSpec("1h", period="3h"), PUSHED, HOURS, {}),
    "sliding local days": (replace(LOS_ANGELES, period="2d"), PUSHED, DAYS, {}),
    "no points at all": (GridSpec("1h"), PUSHED, interval("2011-01-01", "2011-01-01T02:00"), {}),
}


@pytest.fixture(scope="module")
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    place = make_place(influx, client)
    place.write(make_points("2025-03-07T20:00", "2025-03-08T04:00", 1200))
    place.write(make_points("2010-03-12", "2010-03-17", 14_400))
    return place


def queries_of(spec: RollupSpec, span: Interval, client: InfluxClient) -> list[str]:
    """Every query that a rollup sends, in order."""
    sent: list[str] = []
    steps = roll_up(spec, span, RUN, now)
    answer = None
    try:
        while True:
            step: Step = steps.send(answer)
            inner = step.steps if isinstance(step, Gather) else (step,)
            sent += filter(None, map(flux_of, inner))
            answer = None if isinstance(step, Report) else act(step, client)
    except StopIteration:
        return sent


def plan_of(client: InfluxClient, query: str) -> QueryPlan:
    plan = read_plan(client.query(query, extern=plan_extern()))
    assert plan is not None
    return plan


def reads_bucket(query: str, bucket: str) -> bool:
    return f'from(bucket: "{bucket}")' in query


@pytest.mark.parametrize("case", PUSHED_RUNS)
def test_nothing_of_the_source_is_read_raw_when_influxdb_can_aggregate(place: Place, case: str) -> None:
    grid, aggregates, span, more = PUSHED_RUNS[case]
    spec = place.spec(grid, aggregates, target_measurement=case, **more)
    sent = queries_of(spec, span, place.client)
    of_source = [query for query in sent if reads_bucket(query, place.source)]
    assert of_source
    for query in of_source:
        plan = plan_of(place.client, query)
        assert plan.is_pushed_down, query
        assert len(plan.pushed_reads) == query.count("from(bucket:")
        assert "filter" not in {step_kind(node) for node in plan.nodes}, query


def test_source_is_read_raw_once_when_the_worker_computes(place: Place) -> None:
    spec = place.spec(
        "1h", ("p99", "median", "count"), fields=("temp", "packets"), target_measurement="worker"
    )
    sent = [q for q in queries_of(spec, HOURS, place.client) if reads_bucket(q, place.source)]
    plans = [plan_of(place.client, query) for query in sent]
    raw = [query for query, plan in zip(sent, plans, strict=True) if not plan.is_pushed_down]
    assert len(raw) == 1
    assert len(plan_of(place.client, raw[0]).raw_reads) == 1


def test_only_the_small_target_and_ledger_are_read_raw_when_rows_are_read_back(place: Place) -> None:
    """Rows themselves are wanted there: a raw read of the target, filtered by the storage engine, is the least."""
    spec = place.spec("1h", PUSHED, target_measurement="read back", tags=CHOSEN)
    sent = [q for q in queries_of(spec, HOURS, place.client) if not reads_bucket(q, place.source)]
    assert any(reads_bucket(query, place.target) for query in sent)
    for query in sent:
        plan = plan_of(place.client, query)
        assert {step_kind(node) for node in plan.raw_reads} <= {"ReadRange", "ReadGroup"}
        assert "filter" not in {step_kind(node) for node in plan.nodes}, query


@pytest.mark.parametrize(("by_field", "reads"), [(True, "ReadGroup"), (False, "ReadRange")])
def test_points_of_an_archive_are_filtered_and_grouped_by_the_storage_engine(
    place: Place, by_field: bool, reads: str
) -> None:
    """Rows themselves are wanted; only their bounds are taken off outside of the storage engine."""
    plan = plan_of(
        place.client,
        PointsOf(bucket=place.source, measurement="readings", interval=HOURS, by_field=by_field).flux(),
    )
    [read] = plan.raw_reads
    assert step_kind(read) == reads
    assert [step_kind(node) for node in plan.nodes if node != read] == ["drop"]


def test_series_are_counted_by_one_point_of_each_which_the_storage_engine_reads(place: Place) -> None:
    source = RollupSource(place.source, "readings", CHOSEN)
    query = FieldSeries(source, HOURS, ["temp", "packets"])
    plan = plan_of(place.client, query.flux())
    assert plan.is_pushed_down
    assert "filter" not in {step_kind(node) for node in plan.nodes}


def test_chains_are_few_when_local_days_are_grouped_into_runs(place: Place) -> None:
    spec = place.spec(LOS_ANGELES, ("count",), fields=("temp",), target_measurement="runs")
    [compute] = [q for q in queries_of(spec, DAYS, place.client) if "aggregateWindow(" in q]
    assert compute.count("aggregateWindow(") == 3


def test_plan_shows_a_raw_read_when_a_query_is_not_pushed_down(place: Place) -> None:
    """The check itself can fail."""
    flux = f"""from(bucket: "{place.source}") |> range(start: 2025-03-08T00:00:00Z, stop: 2025-03-09T00:00:00Z)
        |> filter(fn: (r) => r._field == "temp") |> median()"""
    assert not plan_of(place.client, flux).is_pushed_down
