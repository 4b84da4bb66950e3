"""What a plan promises is what the run then does."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.plan.dry_run import with_plan
from airflow_provider_influx_rollup.lifecycle.plan.plan import PlanResult, plan_windows
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.source.size import MAX_PARTS, measure_source
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.rollup_runs import (
    FIELDS,
    RUN,
    Place,
    interval,
    make_place,
    make_points,
    now,
    per_field,
    roll,
)

pytestmark = pytest.mark.live

DAY = interval("2025-03-29", "2025-03-31")


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    return make_points("2025-03-29", "2025-03-31", 300)


@pytest.fixture(scope="module")
def place(influx: InfluxServer, client: InfluxClient, points: pd.DataFrame) -> Place:
    place = make_place(influx, client)
    place.write(points)
    return place


def planned(client: InfluxClient, spec: RollupSpec, span: Interval) -> PlanResult:
    return drive(plan_windows(spec, span, now()), client, lambda _report: None)


def values_between(points: pd.DataFrame, windows: list[Interval]) -> int:
    inside = sum(
        (((points["_time"] >= one.start) & (points["_time"] < one.stop)).astype(int) for one in windows),
        start=pd.Series(0, index=points.index),
    )
    return int((points[list(FIELDS)].notna().sum(axis=1) * (inside > 0)).sum())


@pytest.mark.parametrize(
    ("grid", "more"),
    [
        (GridSpec("1h"), {}),
        (GridSpec("1h", period="3h"), {}),
        (GridSpec("1d", timezone="Europe/Berlin"), {"fields": ("temp", "state")}),
        (GridSpec("6h"), {"group_by": ("site",), "tags": {"site": ("berlin", "nairobi")}}),
    ],
    ids=["hours", "sliding", "a day of 23 hours", "merged series"],
)
def test_run_reads_what_the_plan_counted_when_nothing_changes(
    influx: InfluxServer,
    client: InfluxClient,
    place: Place,
    points: pd.DataFrame,
    grid: GridSpec,
    more: dict[str, Any],
) -> None:
    target = make_place(influx, client)
    names = per_field(("count", "last"), more.pop("fields", FIELDS))
    spec = RollupSpec(
        source_bucket=place.source,
        target_bucket=target.target,
        measurement="readings",
        grid=grid,
        aggregates=names,
        ledger_bucket=target.ledger,
        **more,
    )
    span = interval("2025-03-29T23:00", "2025-03-30T22:00") if grid.every == "1d" else DAY
    plan = planned(client, spec, span)
    done = roll(client, spec, span)
    again = planned(client, spec, span)
    assert plan.needed.windows == done["windows"] == again.everything.windows
    if grid.period is None:
        assert plan.needed.points == done["rows_in"] == again.everything.points
    else:
        # overlapping windows share points, which are read once
        assert plan.needed.points == values_between(points, [*spec.grid.grid().windows(span)])
    assert again.everything.values == done["rows_out"] <= plan.needed.values
    assert (again.needed.windows, again.needed.points, again.needed.seconds) == (0, 0, 0)
    assert again.model is not None
    assert again.model.is_own
    # the run was one block; what it did before and after is not in its receipt
    assert again.everything.seconds is not None
    assert 0 < again.everything.seconds <= done["seconds"] + 0.001


def test_tier_reads_what_the_plan_counted_when_the_tier_below_is_done(
    influx: InfluxServer, client: InfluxClient, place: Place
) -> None:
    hours, days = make_place(influx, client), make_place(influx, client)
    names = ("count", "sum", "mean", "max")
    low = RollupSpec(
        source_bucket=place.source,
        target_bucket=hours.target,
        measurement="readings",
        grid=GridSpec("1h"),
        aggregates=names,
        fields=("temp",),
        ledger_bucket=hours.ledger,
    )
    high = RollupSpec(
        source_bucket=hours.target,
        target_bucket=days.target,
        measurement="readings",
        grid=GridSpec("1d"),
        aggregates=("count", "mean"),
        ledger_bucket=hours.ledger,
        source_tier=low.pipeline_name,
    )
    roll(client, low, interval("2025-03-29", "2025-03-30"))
    plan = planned(client, high, DAY)
    assert plan.waiting == (interval("2025-03-30", "2025-03-31"),)
    roll(client, low, DAY)
    plan = planned(client, high, DAY)
    assert plan.waiting == ()
    done = roll(client, high, DAY)
    assert (plan.needed.windows, plan.needed.points) == (2, done["rows_in"])
    assert plan.needed.values >= done["rows_out"]


def test_points_are_the_same_when_there_are_many_gaps(
    client: InfluxClient, place: Place, points: pd.DataFrame
) -> None:
    spec = place.spec("30m", ("count",))
    alternate = spec.grid.grid().windows(DAY)[1::3]
    assert len(alternate) > MAX_PARTS
    for some in (alternate, alternate[:5]):
        size = drive(measure_source(spec, spec.rules(), some), client, lambda _report: None)
        assert size.points == values_between(points, some)
    assert drive(measure_source(spec, spec.rules(), []), client, lambda _report: None).points == 0


@pytest.mark.recorded
def test_dry_run_tells_its_cost_when_it_ends(
    influx: InfluxServer, client: InfluxClient, place: Place
) -> None:
    target = make_place(influx, client)
    spec = RollupSpec(
        source_bucket=place.source,
        target_bucket=target.target,
        measurement="readings",
        grid=GridSpec("1h"),
        aggregates=("count",),
        ledger_bucket=target.ledger,
    )
    told: list[str] = []
    steps = with_plan(roll_up(spec, DAY, RUN, now, dry_run=True), spec, DAY, now)
    result = drive(steps, client, lambda report: told.append(report.message)).as_json()
    assert result["state"] == "PLANNED"
    assert (result["plan"]["states"]["missing"], result["plan"]["needed"]["windows"]) == (48, 48)
    assert (result["plan"]["needed"]["seconds"], result["plan"]["frozen"]) == (None, 0)
    assert told[-1].startswith("Plan: 48 missing; needed: 48 windows, ")
    assert len(target.stored()) == 0
    assert client.find_bucket(target.ledger) is None
