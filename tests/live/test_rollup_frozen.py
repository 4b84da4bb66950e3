"""A window whose source points retention has taken keeps its rollup."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import ACTIONS, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError, WindowFrozen, WindowsFailed
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import DEFAULT_OPTIONS, roll_up
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.influx import Write
from airflow_provider_influx_rollup.steps.step import Step, Steps
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.rollup_runs import writes_to

pytestmark = pytest.mark.live

DAY = 86400
ALWAYS = "range(start: 1970-01-01T00:00:00Z)"
Point = tuple[datetime, str, float]


@dataclass
class Scene:
    """A source that keeps a day, with two hours of points.

    :param tomorrow: one day and 90 minutes after the first point
    """

    client: InfluxClient
    spec: RollupSpec
    interval: Interval
    tomorrow: datetime

    def roll(
        self,
        now: datetime | None = None,
        *,
        interval: Interval | None = None,
        options: RollupOptions = DEFAULT_OPTIONS,
        **other: Any,
    ) -> None:
        """Roll up; ``other`` are changes of the spec."""
        spec, clock = replace(self.spec, **other), lambda: now or datetime.now(UTC)
        steps = roll_up(spec, interval or self.interval, RunInfo(), clock, options=options)
        drive(steps, self.client, lambda _report: None)

    def stored(self, bucket: str | None = None) -> list[Point]:
        """What is in the target."""
        flux = f'from(bucket: "{bucket or self.spec.target_bucket}") |> {ALWAYS} |> filter(fn: (r) => r._measurement == "m")'
        return sorted((row["_time"], row["_field"], row["_value"]) for row in self.client.query(flux))

    def receipts(self, field: str) -> list[Any]:
        """A field of the receipts, in the order of their windows."""
        flux = (
            f'from(bucket: "{self.spec.ledger_bucket}") |> {ALWAYS} |> sort(columns: ["_time"]) '
            f'|> filter(fn: (r) => r._measurement == "window_receipt" and r._field == "{field}")'
        )
        return [row["_value"] for row in self.client.query(flux)]

    def take(self, gone: Interval | None = None) -> None:
        """Delete points of the source, as retention does by whole shard groups."""
        self.client.delete(self.spec.source_bucket, gone or self.interval, '_measurement="m"')

    def short_bucket(self) -> str:
        """A bucket that keeps a day."""
        name = f"short_{uuid.uuid4().hex[:12]}"
        self.client.ensure_bucket(name, retention_seconds=DAY)
        return name


@pytest.fixture
def scene(client: InfluxClient) -> Scene:
    name = uuid.uuid4().hex[:12]
    source, target = f"frozen_raw_{name}", f"frozen_target_{name}"
    client.ensure_bucket(source, retention_seconds=DAY)
    client.ensure_bucket(target)
    # enforcement is by the server's own clock, so the points are of today and the verb gets a clock of tomorrow
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    lines = [
        f"m,device=d{device} t={index + device}.5 {int((start + timedelta(minutes=10 * index)).timestamp())}000000000"
        for device in range(2)
        for index in range(12)
    ]
    client.write_lines(source, lines)
    spec = RollupSpec(
        source_bucket=source,
        target_bucket=target,
        measurement="m",
        grid=GridSpec("1h"),
        aggregates=("count", "sum"),
        ledger_bucket=f"ledger_{name}",
    )
    hours = Interval(start, start + timedelta(hours=2))
    return Scene(client, spec, hours, start + timedelta(days=1, minutes=90))


@pytest.fixture
def before(scene: Scene) -> list[Point]:
    """What the first rollup stored."""
    scene.roll()
    stored = scene.stored()
    assert len(stored) == 8
    return stored


def test_rerun_is_refused_when_retention_took_all_points(scene: Scene, before: list[Point]) -> None:
    scene.take()
    with pytest.raises(WindowFrozen, match=r"has 0 of the 12 points"):
        scene.roll(scene.tomorrow)
    assert scene.stored() == before


def test_rerun_is_refused_when_retention_took_some_points(scene: Scene, before: list[Point]) -> None:
    start = scene.interval.start
    scene.take(Interval(start, start + timedelta(minutes=30)))
    with pytest.raises(WindowsFailed, match=r"1 of 2 windows failed.* 6 of the 12 points") as caught:
        scene.roll(scene.tomorrow)
    assert caught.value.permanent
    assert [(w.start, type(error)) for w, error in caught.value.failed] == [(start, WindowFrozen)]
    assert scene.stored() == before


def test_rerun_is_refused_when_retention_took_points_and_the_spec_changed(
    scene: Scene, before: list[Point]
) -> None:
    scene.take()
    with pytest.raises(WindowFrozen, match=r"has 0 of the 12 points"):
        scene.roll(scene.tomorrow, aggregates=("count", "sum", "max"))
    assert scene.stored() == before


def test_rerun_goes_on_when_retention_reaches_the_window_but_its_shard_group_stays(
    scene: Scene, before: list[Point]
) -> None:
    second = Interval(scene.interval.start + timedelta(hours=1), scene.interval.stop)
    scene.roll(scene.tomorrow, interval=second)
    assert scene.stored() == before


def test_refusal_survives_a_run_that_died(scene: Scene, before: list[Point]) -> None:
    die_before_the_first_point(scene)
    states = scene.client.query(
        f'from(bucket: "{scene.spec.ledger_bucket}") |> {ALWAYS} '
        '|> filter(fn: (r) => r._measurement == "window_receipt" and r._field == "state")'
        f' |> filter(fn: (r) => r.pipeline == "{scene.spec.pipeline_name}")'
    )
    assert {row["_value"] for row in states} == {"WRITING"}
    scene.take()
    with pytest.raises(WindowFrozen):
        scene.roll(scene.tomorrow)
    assert scene.stored() == before


def die_before_the_first_point(scene: Scene) -> None:
    """A run that leaves its windows WRITING."""
    steps = roll_up(scene.spec, scene.interval, RunInfo(), lambda: datetime.now(UTC))
    step = next(steps)
    while not writes_to(step, scene.spec.target_bucket):
        step = steps.send(drive(one_step(step), scene.client, lambda _report: None))
    steps.close()


def one_step(step: Step) -> Steps[Any]:
    return (yield step)


@pytest.mark.parametrize("role", ["target_bucket", "ledger_bucket"])
def test_nothing_is_written_when_a_bucket_would_drop_it(scene: Scene, role: str) -> None:
    short = scene.short_bucket()
    with pytest.raises(ConfigurationError, match=short):
        scene.roll(scene.tomorrow, **{role: short})
    assert scene.client.query(f'from(bucket: "{short}") |> {ALWAYS}') == []


def test_rollup_runs_when_the_target_keeps_its_windows_for_some_time(scene: Scene) -> None:
    short = scene.short_bucket()
    scene.roll(target_bucket=short)
    assert len(scene.stored(short)) == 8


def test_nothing_is_committed_when_retention_took_a_window_that_was_never_rolled_up(scene: Scene) -> None:
    first = Interval(scene.interval.start, scene.interval.start + timedelta(hours=1))
    scene.take(Interval(first.start, first.start + timedelta(minutes=30)))
    with pytest.raises(
        WindowFrozen, match="has 6 points of it, and the ledger does not know how many it had"
    ):
        scene.roll(scene.tomorrow, interval=first)
    assert scene.stored() == []
    assert scene.receipts("state") == []


def test_wider_spec_is_refused_when_points_of_one_field_went_and_those_of_another_came(scene: Scene) -> None:
    second = Interval(scene.interval.start + timedelta(hours=1), scene.interval.stop)
    scene.roll(interval=second, fields=("t",))
    before = scene.stored()
    moments = [int((second.start + timedelta(minutes=16 + part)).timestamp()) for part in range(12)]
    lines = [f"m,device=d0 other=1.5 {moment}000000000" for moment in moments]
    scene.client.write_lines(scene.spec.source_bucket, lines)
    scene.take(Interval(second.start, second.start + timedelta(minutes=15)))
    # the window begins before the retention, in a shard group that is still there, and has more points than before
    with pytest.raises(WindowFrozen, match=r"has 20 of the 12 points .* the spec has changed since"):
        scene.roll(scene.tomorrow, interval=second, fields=("t", "other"))
    assert scene.stored() == before


def test_later_windows_are_left_when_retention_reaches_them_while_the_run_goes_on(scene: Scene) -> None:
    clocks = [datetime.now(UTC)]
    steps = roll_up(
        scene.spec, scene.interval, RunInfo(), lambda: clocks[-1], options=RollupOptions(windows_per_block=1)
    )

    def write(client: InfluxClient, step: Write) -> None:
        ACTIONS[Write](client, step)
        if any('state="COMMITTED"' in line for line in step.lines):
            # a day passes between the first window and the second
            clocks.append(scene.tomorrow + timedelta(hours=1))

    with pytest.raises(WindowsFailed, match="reached the window during the run"):
        drive(steps, scene.client, lambda _: None, ACTIONS | {Write: write})
    assert len(scene.stored()) == 4
    # the second one has been planned, and nobody has begun it
    assert scene.receipts("state") == ["COMMITTED"]
    assert len(scene.receipts("planned")) == 2


def test_nothing_is_written_when_a_window_is_frozen_and_the_run_fails_fast(scene: Scene) -> None:
    scene.roll()
    with pytest.raises(WindowFrozen, match="12 of the 12 points"):
        scene.roll(scene.tomorrow, options=RollupOptions(on_window_error="fail_fast"))
    assert scene.receipts("generation") == [1, 1]


def test_frozen_window_is_rolled_up_from_what_is_left_when_it_is_forced(scene: Scene) -> None:
    scene.roll()
    scene.take(Interval(scene.interval.start, scene.interval.start + timedelta(minutes=30)))
    scene.roll(scene.tomorrow, options=RollupOptions(force=True))
    assert [value for _, name, value in scene.stored() if name == "t_count"] == [3, 3, 6, 6]
    assert scene.receipts("forced") == [True, False]
    assert scene.receipts("rows_in") == [6, 12]
