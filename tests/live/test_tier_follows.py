"""A window of a tier is right only while the tier below holds what it was merged from, in the bucket that it was written to."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.ledger.line_protocol import encode_line
from airflow_provider_influx_rollup.lifecycle.ledger.history import receipts_of
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.plan.coverage import WindowCoverage, WindowState, coverage
from airflow_provider_influx_rollup.lifecycle.plan.plan import plan_windows
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, to_ns
from tests.conftest import InfluxServer
from tests.scenes.reconcile_runs import sweep
from tests.scenes.rename_scene import delete_bucket

pytestmark = pytest.mark.live

START = datetime(2025, 3, 1, tzinfo=UTC)
DAYS = [Interval(START + timedelta(days=n), START + timedelta(days=n + 1)) for n in range(2)]
BOTH = Interval(DAYS[0].start, DAYS[1].stop)
NOON = Interval(START + timedelta(hours=12), START + timedelta(hours=13))
RUN = RunInfo(dag_id="dag", task_id="task", run_id="run")


@dataclass
class Tiers:
    """Hours of raw points, and days of the hours, with every point that was written."""

    server: InfluxServer
    client: InfluxClient
    name: str
    points: list[tuple[str, datetime]] = field(default_factory=list)

    @property
    def hours(self) -> RollupSpec:
        return RollupSpec(
            source_bucket=f"{self.name}_raw",
            target_bucket=f"{self.name}_hours",
            measurement="m",
            grid=GridSpec("1h"),
            aggregates=("count", "sum"),
            pipeline="hours",
            ledger_bucket=f"{self.name}_ledger",
        )

    @property
    def days(self) -> RollupSpec:
        return replace(
            self.hours,
            source_bucket=f"{self.name}_hours",
            target_bucket=f"{self.name}_days",
            grid=GridSpec("1d"),
            pipeline="days",
            source_tier="hours",
        )

    def write(self, site: str, *times: datetime) -> None:
        self.points += [(site, time) for time in times]
        lines = [f"m,site={site} temp=1 {to_ns(time)}" for time in times]
        self.client.write_lines(f"{self.name}_raw", lines)

    def drive(self, steps: Steps[Any]) -> Any:
        return drive(steps, self.client, lambda _report: None)

    def roll(self, spec: RollupSpec, span: Interval = BOTH, **options: Any) -> Any:
        steps = roll_up(spec, span, RUN, lambda: datetime.now(UTC), options=RollupOptions(**options))
        return self.drive(steps).as_json()

    def covered(self, spec: RollupSpec, span: Interval = BOTH) -> tuple[WindowCoverage, ...]:
        windows: tuple[WindowCoverage, ...] = self.drive(coverage(spec, span, datetime.now(UTC))).windows
        return windows

    def states(self, spec: RollupSpec, span: Interval = BOTH) -> list[str]:
        return [one.state.value for one in self.covered(spec, span)]

    def as_before(self, span: Interval = BOTH) -> None:
        """Leave receipts of the days as a version wrote them that did not know what they were merged from."""
        ledger = f"{self.name}_ledger"
        receipts = self.client.query(
            f'from(bucket: "{ledger}") |> range(start: 0) |> filter(fn: (r) => r._measurement == "window_receipt" and '
            'r.pipeline == "days" and r._field != "merged_from")'
        )
        self.client.delete(ledger, span, 'pipeline="days" AND _measurement="window_receipt"')
        tags = {"pipeline": "days", "stage": "rollup"}
        self.client.write_lines(
            ledger,
            [
                encode_line("window_receipt", tags, {row["_field"]: row["_value"]}, to_ns(row["_time"]))
                for row in receipts
            ],
        )

    def reasons(self, spec: RollupSpec, interval: Interval) -> list[str]:
        """Why the windows were rolled up last, as the ledger says."""
        receipts = drive(
            receipts_of(spec.ledger_bucket, spec.pipeline_name, spec.grid.grid().windows(interval)),
            self.client,
            print,
        )
        return [receipt.reason for receipt in receipts.values()]

    def require_right(self, *sites: str) -> None:
        """The days hold the number of the points that were written."""
        rows = self.client.query(
            f'from(bucket: "{self.name}_days") |> range(start: 0) |> filter(fn: (r) => r._field == "temp_count")'
        )
        held = {(row["site"], row["_time"]): row["_value"] for row in rows}
        assert held == Counter(
            (site, time.replace(hour=0, minute=0)) for site, time in self.points if site in sites
        )


@pytest.fixture
def tiers(influx: InfluxServer, client: InfluxClient) -> Tiers:
    name = f"follows_{uuid.uuid4().hex[:8]}"
    made = Tiers(influx, client, name)
    for part in ("raw", "hours", "days"):
        client.ensure_bucket(f"{name}_{part}")
    times = [START + timedelta(hours=n, minutes=5) for n in range(48)]
    for site in ("a", "b"):
        made.write(site, *times)
    made.roll(made.hours)
    made.roll(made.days)
    return made


def test_day_is_healed_when_an_hour_of_it_was_committed_with_other_rows_since(tiers: Tiers) -> None:
    tiers.write("a", START + timedelta(hours=12, minutes=40))
    tiers.roll(tiers.hours, NOON)
    assert tiers.roll(tiers.days, DAYS[1], heal="5d")["healed"] == 1
    assert tiers.reasons(tiers.days, DAYS[0]) == ["heal: the tier below was committed since"]
    tiers.require_right("a", "b")
    assert tiers.roll(tiers.days, DAYS[1], heal="5d")["healed"] == 0


def test_day_is_no_longer_covered_when_an_hour_of_it_was_committed_with_other_rows_since(
    tiers: Tiers,
) -> None:
    assert tiers.states(tiers.days) == ["committed", "committed"]
    tiers.roll(tiers.hours, NOON)
    # the same rows again
    assert tiers.states(tiers.days) == ["committed", "committed"]
    tiers.write("a", START + timedelta(hours=12, minutes=40))
    tiers.roll(tiers.hours, NOON)
    first, second = tiers.covered(tiers.days)
    assert (first.state, second.state) == (WindowState.STALE_SPEC, WindowState.COMMITTED)
    assert "tier below" in first.why
    tiers.roll(tiers.days, DAYS[0])
    assert tiers.states(tiers.days) == ["committed", "committed"]
    tiers.require_right("a", "b")


@pytest.mark.parametrize("source_tier", ["hours", "auto"])
def test_day_without_points_is_no_longer_covered_when_an_hour_of_it_has_points(
    tiers: Tiers, source_tier: str
) -> None:
    days = replace(tiers.days, source_tier=source_tier)
    empty = Interval(DAYS[1].stop, DAYS[1].stop + timedelta(days=1))
    tiers.roll(tiers.hours, empty)
    tiers.roll(days, empty)
    assert tiers.states(days, empty) == ["committed"]
    late = empty.start + timedelta(hours=3, minutes=1)
    tiers.write("a", late)
    tiers.roll(tiers.hours, Interval(empty.start + timedelta(hours=3), empty.start + timedelta(hours=4)))
    assert tiers.states(days, empty) == ["stale_spec"]
    tiers.roll(days, empty)
    tiers.require_right("a", "b")


def test_day_is_covered_again_when_a_reconcile_has_repaired_it(tiers: Tiers) -> None:
    tiers.write("b", START + timedelta(hours=12, minutes=40))
    for spec in (tiers.hours, tiers.days):
        sweep(tiers.client, spec, BOTH)
    assert tiers.states(tiers.days) == ["committed", "committed"]
    tiers.require_right("a", "b")


def test_day_is_covered_again_when_a_reconcile_finds_that_other_rows_below_change_none_of_it(
    tiers: Tiers,
) -> None:
    more = replace(tiers.hours, aggregates=("count", "sum", "max"))
    tiers.roll(more)
    assert tiers.states(tiers.days) == ["stale_spec", "stale_spec"]
    assert sweep(tiers.client, tiers.days, BOTH)["repaired"]["windows"] == 2
    assert tiers.states(tiers.days) == ["committed", "committed"]
    assert sweep(tiers.client, tiers.days, BOTH)["dirty"] == []
    tiers.require_right("a", "b")


def test_day_of_an_earlier_version_counts_until_an_hour_of_it_is_committed_later(tiers: Tiers) -> None:
    tiers.as_before()
    assert tiers.states(tiers.days) == ["committed", "committed"]
    assert tiers.roll(tiers.days, DAYS[1], heal="5d")["healed"] == 0
    tiers.as_before()
    tiers.write("a", START + timedelta(hours=12, minutes=40))
    tiers.roll(tiers.hours, NOON)
    assert tiers.states(tiers.days) == ["stale_spec", "committed"]
    assert tiers.roll(tiers.days, DAYS[1], heal="5d")["healed"] == 1
    assert tiers.states(tiers.days) == ["committed", "committed"]
    tiers.require_right("a", "b")


def test_day_of_an_earlier_version_counts_again_when_a_reconcile_finds_it_right(tiers: Tiers) -> None:
    tiers.as_before()
    # the same rows again, which nothing but a look at the day tells
    tiers.roll(tiers.hours, NOON)
    assert tiers.states(tiers.days) == ["stale_spec", "committed"]
    assert [one["reasons"] for one in sweep(tiers.client, tiers.days, BOTH)["dirty"]] == [["old receipt"]]
    assert tiers.states(tiers.days) == ["committed", "committed"]
    assert sweep(tiers.client, tiers.days, BOTH)["dirty"] == []
    tiers.require_right("a", "b")


@pytest.mark.parametrize("source_tier", ["hours", "auto"])
def test_day_of_an_earlier_version_counts_again_when_it_has_no_points(tiers: Tiers, source_tier: str) -> None:
    days = replace(tiers.days, source_tier=source_tier)
    empty = Interval(DAYS[1].stop, DAYS[1].stop + timedelta(days=1))
    tiers.roll(tiers.hours, empty)
    tiers.roll(days, empty)
    tiers.as_before(Interval(BOTH.start, empty.stop))
    tiers.roll(tiers.hours, empty)
    assert tiers.states(days, empty) == ["stale_spec"]
    assert [one["reasons"] for one in sweep(tiers.client, days, empty)["dirty"]] == [["old receipt"]]
    assert tiers.states(days, empty) == ["committed"]
    assert sweep(tiers.client, days, empty)["dirty"] == []


def test_days_are_rolled_up_again_when_the_hours_are_of_other_tags(tiers: Tiers) -> None:
    fewer = replace(tiers.hours, tags={"site": ("a",)})
    assert set(tiers.states(fewer)) == {"stale_spec"}
    planned = tiers.drive(plan_windows(tiers.days, BOTH, datetime.now(UTC), others=[fewer]))
    assert planned.needed.windows == 2
    tiers.roll(fewer)
    assert tiers.states(tiers.days) == ["stale_spec", "stale_spec"]
    tiers.roll(tiers.days)
    assert tiers.states(tiers.days) == ["committed", "committed"]
    tiers.require_right("a")


def test_windows_are_not_covered_when_their_bucket_was_deleted_and_made_again(tiers: Tiers) -> None:
    target = tiers.days.target_bucket
    delete_bucket(tiers.server, target)
    gone = tiers.covered(tiers.days)
    assert {one.state for one in gone} == {WindowState.MISSING}
    assert target in gone[0].why
    tiers.client.ensure_bucket(target)
    assert tiers.states(tiers.days) == ["stale_spec", "stale_spec"]
    after = Interval(BOTH.stop, BOTH.stop + timedelta(days=1))
    tiers.roll(tiers.hours, after)
    assert tiers.roll(tiers.days, after, heal="5d")["healed"] == 2
    assert tiers.states(tiers.days) == ["committed", "committed"]
    tiers.require_right("a", "b")
