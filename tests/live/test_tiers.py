"""Tiers over tiers hold what pandas computes from the raw points, in zones whose days are 23, 24 and 25 hours long."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import (
    AggregateNotMergeable,
    ConfigurationError,
    ReceiptMissing,
    WindowMisaligned,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.run_windows import interval_to_run
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.steps.step import Steps
from dev.influx_http import InfluxAddress
from tests import oracle
from tests.conftest import InfluxServer
from tests.scenes.rollup_runs import RUN, interval, now, per_field, roll
from tests.scenes.sent_flux import flux_of

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.windows.interval import Interval

pytestmark = pytest.mark.live

TAGS = ["device"]
FIELDS = ("temp", "total", "state")
PLAIN = ("count", "sum", "min", "max", "first", "last", "mean", "spread")
BY_ROWS = ("stddev", "increase", "resets")
# a day, such as one in which the clocks change, its zone, and the grid of the hours that tile its days
CASES = {
    "UTC": ("2024-02-28", "UTC", GridSpec("1h")),
    "Berlin, 23 hours": ("2025-03-30", "Europe/Berlin", GridSpec("1h")),
    "Berlin, 25 hours": ("2025-10-26", "Europe/Berlin", GridSpec("1h")),
    "Kathmandu, 45 minutes off": ("2025-03-30", "Asia/Kathmandu", GridSpec("1h", "15m")),
    "Lord Howe, 24.5 hours": ("2025-04-06", "Australia/Lord_Howe", GridSpec("30m")),
    "Lord Howe, 23.5 hours": ("2025-10-05", "Australia/Lord_Howe", GridSpec("30m")),
    "São Paulo, no midnight": ("2017-10-15", "America/Sao_Paulo", GridSpec("1h")),
    "São Paulo, midnight twice": ("2018-02-17", "America/Sao_Paulo", GridSpec("1h")),
}
WITH_MONTH = {"Berlin, 23 hours", "Kathmandu, 45 minutes off", "São Paulo, no midnight"}
NAMES = (*PLAIN, *BY_ROWS)


@dataclass(frozen=True)
class Stack:
    """Raw points and tiers over them, each in a bucket of its own."""

    server: InfluxServer
    client: InfluxClient
    name: str
    measurement: str

    def write(self, points: pd.DataFrame) -> None:
        """Add raw points."""
        self.client.write_lines(self.bucket(0), encode(points, self.measurement))

    def bucket(self, number: int) -> str:
        return f"{self.name}_{number}"

    def stored(self, number: int) -> pd.DataFrame:
        return oracle.read_target(
            self.server.url, self.server.org, self.server.token, self.bucket(number), self.measurement,
            "1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z",
        )  # fmt: skip

    def spec(self, number: int, grid: GridSpec, aggregates: Any, **more: Any) -> RollupSpec:
        """The tier that writes a bucket; the first one reads raw points."""
        return RollupSpec(
            source_bucket=self.bucket(number - 1),
            target_bucket=self.bucket(number),
            measurement=self.measurement,
            grid=grid,
            aggregates=aggregates,
            ledger_bucket=f"{self.name}_ledger",
            **more,
        )


@pytest.fixture(scope="module")
def buckets(influx: InfluxServer, client: InfluxClient) -> Iterator[str]:
    """Buckets for raw points, five tiers and the ledger; each test has a measurement of its own in them."""
    name = f"tiers_{uuid.uuid4().hex[:8]}"
    for number in range(6):
        client.ensure_bucket(f"{name}_{number}")
    yield name
    # months of shard groups in several buckets hold many files open
    server = InfluxAddress(influx.url, influx.org, influx.token)
    for bucket in [*(f"{name}_{number}" for number in range(6)), f"{name}_ledger"]:
        for found in server.request("GET", "/api/v2/buckets", name=bucket)["buckets"]:
            server.request("DELETE", f"/api/v2/buckets/{found['id']}")


@pytest.fixture
def stack(influx: InfluxServer, client: InfluxClient, buckets: str) -> Stack:
    return Stack(influx, client, buckets, f"m_{uuid.uuid4().hex[:8]}")


def make_points(windows: list[oracle.Window], per_window: int) -> pd.DataFrame:
    """A few points of every type in each window, also in its first and in its last nanosecond."""
    random = np.random.default_rng(7)
    inside = [begin + (end - begin) * random.random() for begin, end in windows for _ in range(per_window)]
    edges = [moment for begin, end in windows for moment in (begin, end - pd.Timedelta(1, "ns"))]
    times = pd.DatetimeIndex([*inside, *edges]).as_unit("ns").unique().sort_values()
    frames = []
    for device in ("a", "b 1"):
        moments = times[random.random(len(times)) < 0.8]
        size = len(moments)
        frame = pd.DataFrame({"_time": moments, "device": device})
        frame["temp"] = pd.array(random.normal(20, 8, size), dtype="float64")
        # a counter that is set back now and then
        counted = np.cumsum(random.integers(0, 99, size)) % 1999
        frame["total"] = pd.array(counted.astype(np.uint64) + np.uint64(2**20), dtype="UInt64")
        frame["state"] = random.choice(np.array(["ok", "off, 2"], dtype=object), size)
        frame.loc[random.random(size) < 0.2, "temp"] = np.nan
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def encode(points: pd.DataFrame, measurement: str) -> list[str]:
    lines = []
    for row in points.to_dict("records"):
        values = [f"total={int(row['total'])}u", f'state="{row["state"]}"']
        if not pd.isna(row["temp"]):
            values.append(f"temp={row['temp']!r}")
        device = row["device"].replace(" ", "\\ ")
        lines.append(f"{measurement},device={device} {','.join(values)} {row['_time'].as_unit('ns').value}")
    return lines


def local_windows(start: str, stop: str, freq: str, timezone: str) -> list[oracle.Window]:
    """Calendar windows by pandas; a midnight that does not exist is the first moment after it."""
    edges = pd.date_range(start, stop, freq=freq).tz_localize(timezone, nonexistent="shift_forward")
    utc = list(edges.tz_convert("UTC"))
    return list(pairwise(utc))


def span_of(windows: list[oracle.Window]) -> Interval:
    return interval(*(str(edge.tz_localize(None)) for edge in (windows[0][0], windows[-1][1])))


def roll_tiers(
    stack: Stack, numbers: list[int], grids: list[GridSpec], windows: list[oracle.Window], *, source: int = 0
) -> None:
    """The first tier from raw points, each other one from the one before."""
    below = None
    for number, grid in zip(numbers, grids, strict=True):
        spec = stack.spec(number, grid, NAMES, source_tier=None if below is None else below.pipeline_name)
        if below is None:
            spec = replace(spec, source_bucket=stack.bucket(source))
        roll(stack.client, spec, span_of(windows))
        below = spec


def expected(points: pd.DataFrame, windows: list[oracle.Window]) -> pd.DataFrame:
    return oracle.rollup(points, TAGS, windows, per_field(NAMES, FIELDS))


@pytest.mark.parametrize("case", list(CASES))
def test_tiers_equal_raw_points_when_they_are_merged_from_the_tier_below(stack: Stack, case: str) -> None:
    day, timezone, hours = CASES[case]
    first = pd.Timestamp(day)
    month = local_windows(str(first.replace(day=1)), str(first + pd.offsets.MonthBegin(2)), "MS", timezone)[
        :1
    ]
    days = local_windows(
        str(first.replace(day=1)), str((first + pd.offsets.MonthBegin(1)).date()), "D", timezone
    )
    odd = days[first.day - 1 :][:1]
    around = days if case in WITH_MONTH else odd
    points = pd.concat([make_points(around, 1), make_points(odd, 60)]).drop_duplicates(["_time", "device"])
    stack.write(points)

    local_day, local_month = (GridSpec(every, timezone=timezone) for every in ("1d", "1mo"))
    roll_tiers(stack, [1, 2, 3], [GridSpec("5m"), hours, local_day], odd)
    assert oracle.compare(stack.stored(3), expected(points, odd)) == []
    if case not in WITH_MONTH:
        return
    roll_tiers(stack, [4, 5], [local_day, local_month], days)
    assert oracle.compare(stack.stored(5), expected(points, month)) == []


def test_days_are_of_odd_length_when_the_clocks_change() -> None:
    lengths = {}
    for case, (day, timezone, _) in CASES.items():
        [(begin, end)] = local_windows(day, str(pd.Timestamp(day) + pd.Timedelta(days=1)), "D", timezone)
        lengths[case] = ((end - begin) / pd.Timedelta(hours=1), begin.tz_convert(timezone).hour)
    assert list(lengths.values()) == [
        (24, 0),
        (23, 0),
        (25, 0),
        (24, 0),
        (24.5, 0),
        (23.5, 0),
        (23, 1),
        (25, 0),
    ]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", list(CASES))
def test_month_equals_raw_points_when_it_is_merged_up_from_five_minutes(stack: Stack, case: str) -> None:
    day, timezone, hours = CASES[case]
    first = pd.Timestamp(day).replace(day=1)
    month = local_windows(str(first), str(first + pd.offsets.MonthBegin(1)), "MS", timezone)
    days = local_windows(str(first), str((first + pd.offsets.MonthBegin(1)).date()), "D", timezone)
    points = make_points(days, 9)
    stack.write(points)
    grids = [GridSpec("5m"), hours, *(GridSpec(every, timezone=timezone) for every in ("1d", "1mo"))]
    roll_tiers(stack, [1, 2, 3, 4], grids, month)
    assert oracle.compare(stack.stored(3), expected(points, days)) == []
    assert oracle.compare(stack.stored(4), expected(points, month)) == []


@pytest.fixture
def small(stack: Stack) -> tuple[Stack, pd.DataFrame, RollupSpec]:
    """Six hours of points, and the hours of the first four rolled up."""
    points = make_points(oracle.windows("2025-03-01", "2025-03-02", "1h"), 3)
    stack.write(points)
    hours = stack.spec(1, GridSpec("1h"), ("count", "sum", "min", "max", "first", "last"))
    roll(stack.client, hours, interval("2025-03-01", "2025-03-01T04:00"))
    return stack, points, hours


SIX = interval("2025-03-01", "2025-03-01T06:00")


def test_tier_starts_when_the_tier_below_is_committed_over_the_same_time(
    small: tuple[Stack, pd.DataFrame, RollupSpec],
) -> None:
    stack, points, hours = small
    names = ("count", "mean", "spread", "last")
    tier = stack.spec(2, GridSpec("3h"), names, source_tier="auto")
    second = interval("2025-03-01T03:00", "2025-03-01T06:00")
    with pytest.raises(ReceiptMissing) as refused:
        roll(stack.client, tier, second)
    assert "2 windows of pipeline" in str(refused.value)
    assert "[2025-03-01T04:00:00Z, 2025-03-01T05:00:00Z) no receipt" in str(refused.value)
    assert refused.value.window == second
    assert not refused.value.permanent
    assert stack.stored(2).empty

    roll(stack.client, hours, interval("2025-03-01T04:00", "2025-03-01T06:00"))
    said: list[str] = []
    roll(stack.client, tier, SIX, said.append)
    windows = oracle.windows("2025-03-01", "2025-03-01T06:00", "3h")
    wanted = oracle.rollup(points, TAGS, windows, per_field(names, FIELDS))
    assert oracle.compare(stack.stored(2), wanted) == []
    assert not any("in the worker" in text for text in said)

    # the tier below computes other rows now: what it committed before does not count
    changed = replace(hours, aggregates=(*hours.rules().all_names(), "mean"))
    roll(stack.client, changed, interval("2025-03-01", "2025-03-01T03:00"))
    with pytest.raises(ReceiptMissing) as stale:
        roll(stack.client, tier, second)
    assert "[2025-03-01T03:00:00Z, 2025-03-01T04:00:00Z) older spec" in str(stale.value)
    assert "aggregates was [count, sum, min, max, first, last] and is [count, first" in str(stale.value)


@pytest.mark.parametrize(("choice", "order"), [("complete", [2, 0, 1]), ("ending", [0, 1, 2])])
def test_window_is_rolled_up_by_the_run_that_completes_it_when_it_is_longer_than_the_interval(
    small: tuple[Stack, pd.DataFrame, RollupSpec], choice: str, order: list[int]
) -> None:
    stack, _, hours = small
    tier = stack.spec(2, GridSpec("3h"), ("count",), source_tier=hours.pipeline_name)
    parts = []
    for hour in order:
        run = interval(f"2025-03-01T{6 + hour:02d}:00", f"2025-03-01T{7 + hour:02d}:00")
        roll(stack.client, hours, run)
        part, reason = drive(interval_to_run(tier, run, choice), stack.client, lambda _report: None)
        assert bool(part) != bool(reason)
        parts.append(part)
    assert parts == [None, None, interval("2025-03-01T06:00", "2025-03-01T09:00")]
    # a window inside the interval is not skipped: the rollup says what is missing
    day = interval("2025-03-01T06:00", "2025-03-02")
    assert drive(interval_to_run(tier, day, choice), stack.client, lambda _report: None)[0] == day


def test_tier_is_refused_when_the_tier_below_cannot_make_it(
    small: tuple[Stack, pd.DataFrame, RollupSpec],
) -> None:
    stack, _, hours = small
    name = hours.pipeline_name

    def refusal(error: type[Exception], start: str = "2025-03-01", **changes: Any) -> str:
        spec = replace(stack.spec(2, GridSpec("2h"), ("count",), source_tier=name), **changes)
        with pytest.raises(error) as refused:
            roll(stack.client, spec, interval(start, "2025-03-01T04:00"))
        return str(refused.value)

    assert f"needs stddev of pipeline '{name}'" in refusal(AggregateNotMergeable, aggregates=("stddev",))
    assert "has never run" in refusal(ReceiptMissing, source_tier="another")
    assert name in refusal(ReceiptMissing, source_tier="another")
    assert "does not roll up into" in refusal(ConfigurationError, source_bucket=stack.bucket(3))
    assert "every=30m" in refusal(WindowMisaligned, "2025-03-01T03:30", grid=GridSpec("30m"))
    assert stack.stored(2).empty


def test_tier_has_no_ghosts_when_a_series_has_left_the_tier_below(
    small: tuple[Stack, pd.DataFrame, RollupSpec],
) -> None:
    stack, points, hours = small
    span = interval("2025-03-01", "2025-03-01T04:00")
    tier = stack.spec(2, GridSpec("2h"), ("count", "mean"), source_tier=hours.pipeline_name)
    roll(stack.client, tier, span)
    assert set(stack.stored(2)["device"]) == {"a", "b 1"}
    stack.client.delete(stack.bucket(0), span, f'_measurement="{stack.measurement}" AND device="b 1"')
    for spec in (hours, tier):
        roll(stack.client, spec, span)
    windows = oracle.windows("2025-03-01", "2025-03-01T04:00", "2h")
    left = points[points["device"] == "a"]
    expected = oracle.rollup(left, TAGS, windows, per_field(("count", "mean"), FIELDS))
    assert oracle.compare(stack.stored(2), expected) == []


def interrupted(steps: Steps[Any], act: Callable[[], object]) -> Steps[Any]:
    """Do something once, right after the rows of the tier below were read for the first time."""
    answer, is_done = None, False
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as end:
            return end.value
        answer = yield step
        if not is_done and "fn: sum" in flux_of(step):
            is_done = True
            act()


def test_tier_is_merged_again_when_the_tier_below_is_rewritten_while_it_is_read(
    small: tuple[Stack, pd.DataFrame, RollupSpec],
) -> None:
    stack, points, hours = small
    span = interval("2025-03-01", "2025-03-01T04:00")
    tier = stack.spec(2, GridSpec("4h"), ("count", "mean"), source_tier=hours.pipeline_name)
    changed = points.assign(temp=points["temp"] * 3)

    def overwrite() -> None:
        # as many points as before, of other values
        stack.write(changed)
        roll(stack.client, hours, span)

    said: list[str] = []
    steps = interrupted(roll_up(tier, span, RUN, now), overwrite)
    drive(steps, stack.client, lambda report: said.append(report.message))
    assert any("rolling up again" in text for text in said)
    windows = oracle.windows("2025-03-01", "2025-03-01T04:00", "4h")
    wanted = oracle.rollup(changed, TAGS, windows, per_field(("count", "mean"), FIELDS))
    assert oracle.compare(stack.stored(2), wanted) == []
