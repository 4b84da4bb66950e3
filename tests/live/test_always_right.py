"""Whatever happens to a source, its rollups and their tiers, in any order: one reconcile, and every tier is right."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from airflow_provider_influx_rollup.client.driver import act, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ReceiptMissing
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.oracle import compare, rollup, windows
from tests.scenes.reconcile_runs import sweep, sweep_tiers, watched
from tests.scenes.rollup_runs import RUN, Place, interval, make_place, now

pytestmark = pytest.mark.live

DAY = "2025-03-08"
SPAN = interval(DAY, f"{DAY}T04:00")
# `make soak` has two thousand, and schedules of the simulator (tests/simulation) do the same to each tier
LEAST_RUNS = 30
# each with fresh buckets: a series that was deleted thousands of times makes a server slow
PARTS = 2
NUMBERS = itertools.count()
SIX = ("count", "sum", "min", "max", "first", "last")

HOURS = st.integers(0, 3)
# one of them has another tag than the others
DEVICES = {"a": "x", "b": "x", "c": "y"}
POINTS = st.lists(
    st.tuples(
        st.sampled_from(sorted(DEVICES)),
        # few minutes, so that points are often overwritten
        st.integers(0, 3).flatmap(
            lambda hour: st.sampled_from([60 * hour + minute for minute in (0, 1, 30, 59)])
        ),
        st.sampled_from([-0.0, 0.0, 1.0, 1.5, -7.25, 1e9, 0.1]),
    ),
    min_size=1,
    max_size=8,
)
KINDS: dict[str, dict[str, Any]] = {
    "tiers": {"aggregates": {"t": (*SIX, "mean")}},
    "raw": {"aggregates": {"t": (*SIX, "p50")}},
    "merged": {"aggregates": {"t": SIX}, "group_by": ("site",)},
    "sliding": {"aggregates": {"t": ("count", "max")}, "grid": GridSpec("1h", period="2h")},
}


def span_of(first: int, last: int) -> Interval:
    """Some hours of the day, the last one included."""
    return Interval(
        SPAN.start + pd.Timedelta(hours=min(first, last)),
        SPAN.start + pd.Timedelta(hours=max(first, last) + 1),
    )


class AlwaysRight(RuleBasedStateMachine):
    """A source, its hours, two hours over them, and four over those, with all that happens to them."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        name = f"m{next(NUMBERS)}"
        self.place = replace(place, measurement=name)
        self.client = place.client
        self.points: dict[tuple[str, int], float] = {}
        self.tiers: list[RollupSpec] = []
        self.rolled: dict[str, set[Interval]] = defaultdict(set)

    @initialize(
        kind=st.sampled_from(["tiers", "tiers", "tiers", *KINDS]), points=POINTS, is_rolled=st.booleans()
    )
    def begin(self, kind: str, points: list[tuple[str, int, float]], is_rolled: bool) -> None:
        """Some points, and their rollups, which may have run."""
        name, place, more = self.place.measurement, self.place, dict(KINDS[kind])
        hours = place.spec(
            more.pop("grid", "1h"), target_measurement=f"{name}_1h", pipeline=f"{name} 1h", **more
        )
        self.tiers = [hours]
        if kind == "tiers":
            above = {"source_bucket": place.target}
            two = replace(
                hours,
                **above,
                measurement=f"{name}_1h",
                target_measurement=f"{name}_2h",
                pipeline=f"{name} 2h",
                grid=GridSpec("2h"),
                source_tier=f"{name} 1h",
            )
            four = replace(
                two,
                measurement=f"{name}_2h",
                target_measurement=f"{name}_4h",
                pipeline=f"{name} 4h",
                grid=GridSpec("4h"),
                source_tier="auto",
            )
            self.tiers += [two, four]
        self.write(points)
        for tier in self.tiers if is_rolled else ():
            self._roll(tier, SPAN)

    # --- the source -------------------------------------------------------------------------------------

    @rule(points=POINTS)
    def write(self, points: list[tuple[str, int, float]]) -> None:
        """New points, late points, overwritten points, new series."""
        lines = []
        for device, minute, value in points:
            self.points[device, minute] = value
            time_ns = SPAN.start_ns + minute * 60 * 10**9
            lines.append(
                f"{self.place.measurement},device={device},site={DEVICES[device]} t={value} {time_ns}"
            )
        self.client.write_lines(self.place.source, lines)

    @rule(device=st.sampled_from(["", *DEVICES]), first=HOURS, last=HOURS)
    def delete(self, device: str, first: int, last: int) -> None:
        """A series, a window, or both, are gone."""
        span = span_of(first, last)
        chosen = f' AND "device"="{device}"' if device else ""
        self.client.delete(self.place.source, span, f'_measurement="{self.place.measurement}"{chosen}')
        gone = range(60 * min(first, last), 60 * (max(first, last) + 1))
        self.points = {
            (name, minute): value
            for (name, minute), value in self.points.items()
            if minute not in gone or device not in ("", name)
        }

    # --- the rollups ------------------------------------------------------------------------------------

    @rule(first=HOURS, last=HOURS)
    def roll_hours(self, first: int, last: int) -> None:
        """A run, or a rerun, of some hours."""
        self._roll(self.tiers[0], span_of(first, last))

    @precondition(lambda self: len(self.tiers) > 1 and self.rolled)
    @rule(tier=st.integers(1, 2), half=st.integers(0, 1))
    def roll_tier(self, tier: int, half: int) -> None:
        """A run of a window of a higher tier, which may have to wait."""
        with suppress(ReceiptMissing):
            self._roll(self.tiers[tier], span_of(2 * half, 2 * half + 1) if tier == 1 else SPAN)

    @precondition(lambda self: self.rolled)
    @rule(tier=st.integers(0, 2), hour=HOURS, device=st.sampled_from(["a", "ghost"]))
    def tamper(self, tier: int, hour: int, device: str) -> None:
        """Rows of a target are altered, deleted or planted by hand, in a window that was rolled up."""
        spec = self.tiers[tier % len(self.tiers)]
        instant = Interval(
            SPAN.start + pd.Timedelta(hours=hour), SPAN.start + pd.Timedelta(hours=hour, microseconds=1)
        )
        if not any(window.start == instant.start for window in self.rolled[spec.pipeline_name]):
            return
        if device == "ghost":
            tags = "site=ghost" if spec.group_by else "device=ghost,site=x"
            line = f"{spec.output_measurement},{tags} t_max=1 {instant.start_ns}"
            self.client.write_lines(self.place.target, [line])
        else:
            self.client.delete(self.place.target, instant, f'_measurement="{spec.output_measurement}"')

    # --- reconciles -------------------------------------------------------------------------------------

    @rule(first=HOURS, last=HOURS, cascade=st.booleans(), most=st.sampled_from([None, 1]))
    def reconcile_some(self, first: int, last: int, cascade: bool, most: int | None) -> None:
        """A reconcile of some hours, or of one window of them."""
        if self.rolled:
            sweep_tiers(self.client, self.tiers[0], span_of(first, last), cascade=cascade, max_windows=most)

    @rule(steps=st.integers(1, 25), is_rollup=st.booleans())
    def die(self, steps: int, is_rollup: bool) -> None:
        """A run dies after some of its steps."""
        verb: Callable[..., Steps[Any]] = roll_up if is_rollup else reconcile
        running = verb(self.tiers[0], SPAN, RUN, now)
        answer = None
        for _ in range(steps):
            try:
                step = running.send(answer)
            except StopIteration:
                return
            answer = None if isinstance(step, Report) else act(step, self.client)
        running.close()

    def teardown(self) -> None:
        """One reconcile of the lowest tier makes all right; the next one finds nothing."""
        if not self.tiers:
            return
        lowest = self.tiers[0]
        result = sweep_tiers(self.client, lowest, SPAN, rollup=lowest)
        assert result["is_clean"], result
        self._check(lowest)
        assert set(self.place.states(lowest.pipeline_name).values()) == {"COMMITTED"}
        for tier in self.tiers[1:]:
            if self.rolled[tier.pipeline_name]:
                if self.rolled[tier.pipeline_name] != set(tier.grid.grid().windows(SPAN)):
                    # what nobody ever rolled up is not looked at from below
                    assert sweep(self.client, tier, SPAN)["is_clean"]
                self._check(tier)
        with watched(self.client) as requests:
            again = sweep(self.client, lowest, SPAN)
        assert (again["dirty"], again["is_clean"]) == ([], True)
        assert requests.of(self.place.target) == []
        # the next run need not read them
        self.client.delete(
            self.place.ledger, interval("1970-01-01", "1971-01-01"), '_measurement="pipeline_spec"'
        )

    def _check(self, tier: RollupSpec) -> None:
        every = tier.grid.every
        spans = windows(DAY, f"{DAY}T04:00", every, tier.grid.period)
        rows = [
            {
                "_time": pd.Timestamp(SPAN.start) + pd.Timedelta(minutes=minute),
                "device": device,
                "site": DEVICES[device],
                "t": value,
            }
            for (device, minute), value in self.points.items()
        ]
        points = pd.DataFrame(rows, columns=["_time", "device", "site", "t"])
        group_by = ["site"] if self.tiers[0].group_by else None
        stored = self.place.stored(tier.output_measurement)
        if not rows:
            assert stored.empty
            return
        expected = rollup(points, ("device", "site"), spans, dict(tier.aggregates), group_by)
        assert compare(stored, expected) == [], tier.pipeline_name

    def _roll(self, tier: RollupSpec, span: Interval) -> None:
        drive(roll_up(tier, span, RUN, now), self.client, lambda _report: None)
        self.rolled[tier.pipeline_name].update(tier.grid.grid().windows(span))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_tier_is_right_after_a_reconcile_when_anything_happened_in_any_order(
    influx: InfluxServer, client: InfluxClient, part: int
) -> None:
    place = make_place(influx, client)
    client.ensure_bucket(place.ledger)
    soaked = settings.get_profile("soak").max_examples
    is_soak = settings.default is not None and settings.default.max_examples == soaked
    run_state_machine_as_test(
        lambda: AlwaysRight(place),
        settings=settings(
            max_examples=(soaked if is_soak else LEAST_RUNS) // PARTS,
            stateful_step_count=6,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
