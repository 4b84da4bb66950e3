"""A window whose source points retention has taken keeps its rollup."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError, WindowFrozen, WindowsFailed
from airflow_provider_influx_rollup.lifecycle.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.spec import GridSpec, RollupSpec, RunInfo
from airflow_provider_influx_rollup.lifecycle.steps import Write
from airflow_provider_influx_rollup.windows.interval import Interval

pytestmark = pytest.mark.live

DAY = 86400


def points(client: InfluxClient, bucket: str, measurement: str) -> list[tuple[datetime, str, float]]:
    rows = client.query(
        f'from(bucket: "{bucket}") |> range(start: 1970-01-01T00:00:00Z) '
        f'|> filter(fn: (r) => r._measurement == "{measurement}")'
    )
    return sorted((row["_time"], row["_field"], row["_value"]) for row in rows)


@pytest.fixture
def place(client: InfluxClient) -> tuple[RollupSpec, Interval, datetime]:
    """A source that keeps a day, with two hours of points, and the clock one day and 90 minutes after the first."""
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
    spec = RollupSpec(source, target, "m", GridSpec("1h"), ("count", "sum"), ledger_bucket=f"ledger_{name}")
    return spec, Interval(start, start + timedelta(hours=2)), start + timedelta(days=1, minutes=90)


def roll(client: InfluxClient, spec: RollupSpec, interval: Interval, now: datetime | None = None) -> None:
    drive(roll_up(spec, interval, RunInfo(), lambda: now or datetime.now(UTC)), client, lambda _report: None)


def test_rerun_is_refused_when_retention_took_all_points(
    client: InfluxClient, place: tuple[RollupSpec, Interval, datetime]
) -> None:
    spec, interval, tomorrow = place
    roll(client, spec, interval)
    before = points(client, spec.target_bucket, "m")
    assert len(before) == 8
    client.delete(spec.source_bucket, interval, '_measurement="m"')
    with pytest.raises(WindowFrozen, match=r"has 0 of the 12 points"):
        roll(client, spec, interval, tomorrow)
    assert points(client, spec.target_bucket, "m") == before


def test_rerun_is_refused_when_retention_took_some_points(
    client: InfluxClient, place: tuple[RollupSpec, Interval, datetime]
) -> None:
    spec, interval, tomorrow = place
    roll(client, spec, interval)
    before = points(client, spec.target_bucket, "m")
    gone = Interval(interval.start, interval.start + timedelta(minutes=30))
    client.delete(spec.source_bucket, gone, '_measurement="m"')
    with pytest.raises(WindowsFailed, match=r"1 of 2 windows failed.* 6 of the 12 points") as caught:
        roll(client, spec, interval, tomorrow)
    assert caught.value.permanent
    assert [(w.start, type(error)) for w, error in caught.value.failed] == [(interval.start, WindowFrozen)]
    assert points(client, spec.target_bucket, "m") == before


def test_rerun_is_refused_when_retention_took_points_and_the_spec_changed(
    client: InfluxClient, place: tuple[RollupSpec, Interval, datetime]
) -> None:
    spec, interval, tomorrow = place
    roll(client, spec, interval)
    before = points(client, spec.target_bucket, "m")
    wider = replace(spec, aggregates=("count", "sum", "max"))
    client.delete(spec.source_bucket, interval, '_measurement="m"')
    with pytest.raises(WindowFrozen, match=r"has 0 of the 12 points"):
        roll(client, wider, interval, tomorrow)
    assert points(client, spec.target_bucket, "m") == before


def test_rerun_goes_on_when_retention_reaches_the_window_but_its_shard_group_stays(
    client: InfluxClient, place: tuple[RollupSpec, Interval, datetime]
) -> None:
    spec, interval, tomorrow = place
    roll(client, spec, interval)
    before = points(client, spec.target_bucket, "m")
    second = Interval(interval.start + timedelta(hours=1), interval.stop)
    roll(client, spec, second, tomorrow)
    assert points(client, spec.target_bucket, "m") == before


def test_refusal_survives_a_run_that_died(
    client: InfluxClient, place: tuple[RollupSpec, Interval, datetime]
) -> None:
    spec, interval, tomorrow = place
    roll(client, spec, interval)
    before = points(client, spec.target_bucket, "m")
    dying = spec.pipeline_name  # the run below dies before it writes a point, its windows stay WRITING
    steps = roll_up(spec, interval, RunInfo(), lambda: datetime.now(UTC))
    answer = None
    while True:
        step = steps.send(answer)
        if isinstance(step, Write) and step.bucket == spec.target_bucket:
            steps.close()
            break
        answer = drive(_one(step), client, lambda _report: None)
    states = client.query(
        f'from(bucket: "{spec.ledger_bucket}") |> range(start: 1970-01-01T00:00:00Z) '
        '|> filter(fn: (r) => r._measurement == "window_receipt" and r._field == "state")'
        f' |> filter(fn: (r) => r.pipeline == "{dying}")'
    )
    assert {row["_value"] for row in states} == {"WRITING"}
    client.delete(spec.source_bucket, interval, '_measurement="m"')
    with pytest.raises(WindowFrozen):
        roll(client, spec, interval, tomorrow)
    assert points(client, spec.target_bucket, "m") == before


@pytest.mark.parametrize("role", ["target_bucket", "ledger_bucket"])
def test_nothing_is_written_when_a_bucket_would_drop_it(
    client: InfluxClient, place: tuple[RollupSpec, Interval, datetime], role: str
) -> None:
    spec, interval, tomorrow = place
    short = f"short_{uuid.uuid4().hex[:12]}"
    client.ensure_bucket(short, retention_seconds=DAY)
    with pytest.raises(ConfigurationError, match=short):
        roll(client, replace(spec, **{role: short}), interval, tomorrow)
    assert client.query(f'from(bucket: "{short}") |> range(start: 1970-01-01T00:00:00Z)') == []


def test_rollup_runs_when_the_target_keeps_its_windows_for_some_time(
    client: InfluxClient, place: tuple[RollupSpec, Interval, datetime]
) -> None:
    spec, interval, _ = place
    short = f"short_{uuid.uuid4().hex[:12]}"
    client.ensure_bucket(short, retention_seconds=DAY)
    roll(client, replace(spec, target_bucket=short), interval)
    assert len(points(client, short, "m")) == 8


def _one(step):  # type: ignore[no-untyped-def]
    return (yield step)
