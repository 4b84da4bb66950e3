"""What is repaired in a tier is looked at in every higher one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.driver import act
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.reconcile import reconcile_pipeline
from airflow_provider_influx_rollup.lifecycle.reconcile.spec import ReconcileSpec
from airflow_provider_influx_rollup.steps.influx import Report, Write
from tests.conftest import InfluxServer
from tests.oracle import rollup, windows
from tests.scenes.reconcile_runs import sweep, sweep_tiers, watched
from tests.scenes.rollup_runs import RUN, TAGS, Place, encode, interval, make_place, make_points, now, roll

pytestmark = pytest.mark.live

SPAN = interval("2025-03-08", "2025-03-10")
STARTS = ("2025-03-08", "2025-03-10")
# pairs of days are counted from the epoch, 20,155 days before
TWO_DAYS = GridSpec("2d", offset="1d")
NAMES = ("count", "sum", "min", "max", "first", "last")


@dataclass
class Tiers:
    """Hours over raw points, days over hours, a daily total over the hours' counts, and two days over days."""

    place: Place
    hours: RollupSpec
    days: RollupSpec
    totals: RollupSpec
    pairs: RollupSpec
    points: pd.DataFrame

    def differences(self) -> dict[str, list[str]]:
        """What is wrong in each tier."""
        rules = {"temp": NAMES}
        totals = rollup(self.points, TAGS, windows(*STARTS, "1D"), {"temp": ("count",)})
        totals["_field"] = "temp_count_sum"
        return {
            "hours": self._of(self.hours, rollup(self.points, TAGS, windows(*STARTS, "1h"), rules)),
            "days": self._of(self.days, rollup(self.points, TAGS, windows(*STARTS, "1D"), rules)),
            "totals": self._of(self.totals, totals),
            "pairs": self._of(self.pairs, rollup(self.points, TAGS, windows(*STARTS, "2D"), rules)),
        }

    def _of(self, spec: RollupSpec, expected: pd.DataFrame) -> list[str]:
        return self.place.differences(expected, spec.output_measurement)

    def add_late_point(self) -> None:
        """A point in the first hour of the second day."""
        moment = pd.Timestamp("2025-03-09T00:30:01", tz="UTC")
        row = self.points.iloc[[0]].assign(_time=moment, temp=77.5)
        self.place.client.write_lines(self.place.source, encode(row, self.place.measurement, ("temp",)))
        self.points = pd.concat([self.points, row], ignore_index=True)


RIGHT: dict[str, list[str]] = {"hours": [], "days": [], "totals": [], "pairs": []}


@pytest.fixture
def tiers(influx: InfluxServer, client: InfluxClient) -> Tiers:
    place = make_place(influx, client)
    points = make_points(*STARTS, 1200)
    place.write(points, ("temp",))
    hours = place.spec("1h", {"temp": NAMES}, target_measurement="hours", pipeline="tier 1h")
    above = {"source_bucket": place.target, "measurement": "hours"}
    days = replace(
        hours,
        **above,
        target_measurement="days",
        pipeline="tier 1d",
        grid=GridSpec("1d"),
        source_tier="tier 1h",
    )
    totals = replace(
        days,
        source_tier=None,
        aggregates={"temp_count": ("sum",)},
        target_measurement="totals",
        pipeline="totals",
    )
    pairs = replace(
        days,
        measurement="days",
        target_measurement="pairs",
        pipeline="tier 2d",
        grid=TWO_DAYS,
        source_tier="auto",
    )
    for spec in (hours, days, totals, pairs):
        roll(client, spec, SPAN)
    return Tiers(place, hours, days, totals, pairs, points)


def dirty_of(result: dict[str, Any]) -> dict[str, list[str]]:
    """Dirty windows of each pipeline."""
    return {
        one["pipeline"]: [change["window"]["start"][:13] for change in one["dirty"]]
        for one in (result, *result["cascaded"])
    }


def test_same_time_of_every_tier_is_repaired_when_a_point_was_late(
    tiers: Tiers, client: InfluxClient
) -> None:
    tiers.add_late_point()
    plan = sweep_tiers(client, tiers.hours, SPAN, mode="plan")
    with watched(client) as requests:
        result = sweep_tiers(client, tiers.hours, SPAN, max_windows=1)
    assert result["is_clean"]
    assert (
        dirty_of(result)
        == dirty_of(plan)
        == {
            "tier 1h": ["2025-03-09T00"],
            "tier 1d": ["2025-03-09T00"],
            "totals": ["2025-03-09T00"],
            "tier 2d": ["2025-03-08T00"],
        }
    )
    assert [one["pipeline"] for one in result["cascaded"]].index("tier 2d") > 0
    assert len(requests.of(tiers.place.target)) == 4
    assert tiers.differences() == RIGHT
    with watched(client) as requests:
        again = sweep_tiers(client, tiers.hours, SPAN)
    assert not any(dirty_of(again).values())
    assert requests.of(tiers.place.target) == []


@pytest.mark.recorded
def test_a_tiers_own_rows_are_repaired_from_below_when_only_they_were_altered(
    tiers: Tiers, client: InfluxClient
) -> None:
    client.delete(tiers.place.target, SPAN, '_measurement="pairs"')
    result = sweep_tiers(client, tiers.hours, SPAN)
    assert {pipeline for pipeline, dirty in dirty_of(result).items() if dirty} == {"tier 2d"}
    assert tiers.differences() == RIGHT


def test_tiers_above_are_repaired_by_the_next_run_when_one_died_between_two_tiers(
    tiers: Tiers, client: InfluxClient
) -> None:
    tiers.add_late_point()
    sweep(client, tiers.hours, SPAN)
    assert [tier for tier, wrong in tiers.differences().items() if wrong] == ["days", "totals", "pairs"]
    assert sweep_tiers(client, tiers.hours, SPAN, cascade=False)["cascaded"] == []
    result = sweep_tiers(client, tiers.hours, SPAN)
    assert result["dirty"] == []
    assert {one["pipeline"]: one["repaired"]["rows"] for one in result["cascaded"]} == {
        "tier 1d": 1,
        "totals": 1,
        "tier 2d": 1,
    }
    assert tiers.differences() == RIGHT


@pytest.mark.recorded
def test_tier_waits_and_is_told_when_a_window_below_it_is_open(tiers: Tiers, client: InfluxClient) -> None:
    tiers.add_late_point()
    steps = reconcile_pipeline(
        ReconcileSpec(pipeline="tier 1h", ledger_bucket=tiers.hours.ledger_bucket), SPAN, RUN, now
    )
    answer = None
    while not (isinstance(step := steps.send(answer), Write) and step.bucket == tiers.place.target):
        answer = None if isinstance(step, Report) else act(step, client)
    steps.close()
    result = sweep_tiers(client, tiers.days, SPAN)
    assert [left["window"]["start"][:13] for left in result["waiting"]] == ["2025-03-09T00"]
    assert "'tier 1h'" in result["waiting"][0]["why"]
    assert "2025-03-09T00:00:00Z" in result["waiting"][0]["why"]
    assert result["windows"] == 1
    assert sweep_tiers(client, tiers.hours, SPAN)["is_clean"]
    assert tiers.differences() == RIGHT
