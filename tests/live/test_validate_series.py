"""Rules that judge whole series: each finds exactly the series with a planted fault, and says nothing of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.validation_runs import by_rule, run

pytestmark = pytest.mark.live

ZONE = ZoneInfo("America/Los_Angeles")
# a Wednesday; the clocks there changed on the Sunday before
START = datetime(2025, 3, 12, 10, tzinfo=ZONE).astimezone(UTC)
SPAN = Interval(START, START + timedelta(hours=2))
MINUTE = timedelta(minutes=1)
KNOWN = [f"d{number:02d}" for number in range(10)]
SPARSE, DENSE, STALE, SILENT, NEW = {"d00", "d01"}, {"d03"}, {"d04"}, {"d05"}, {"e01", "e02"}


def line(device: str, at: datetime, field: str = "t") -> str:
    return (
        f"m,device={device} {field}=1 {int((at - datetime(1970, 1, 1, tzinfo=UTC)) / MINUTE * 60)}000000000"
    )


def minutes(start: datetime, count: int, every: timedelta = MINUTE) -> Iterable[datetime]:
    return (start + number * every for number in range(count))


def planted_lines() -> list[str]:
    lines = []
    for device in [*KNOWN, *NEW]:
        if device not in NEW:
            lines.append(line(device, START - timedelta(hours=5)))
        if device in SILENT:
            continue
        for number, at in enumerate(minutes(START, 120)):
            is_left_out = (device in SPARSE and number % 10 < 3) or (device in STALE and number >= 115)
            if not is_left_out:
                lines.append(line(device, at))
            if device in DENSE:
                lines.append(line(device, at + MINUTE / 2))
    return lines


def named(result: dict[str, Any], rule: str) -> set[str]:
    """The devices that the messages of a rule name."""
    messages = [example["message"] for example in by_rule(result)[rule]["examples"]]
    return {device for device in [*KNOWN, *sorted(NEW)] for text in messages if f"device={device}" in text}


def judged(client: InfluxClient, buckets: tuple[str, str], rules: list[dict[str, Any]]) -> dict[str, Any]:
    spec = ValidateSpec(bucket=buckets[0], measurement="m", rules=rules_of(rules), ledger_bucket=buckets[1])
    return run(client, spec, SPAN, START + timedelta(days=1))


def test_series_with_a_fault_are_named_and_no_others_when_some_are_planted(
    client: InfluxClient, bucket_factory: Callable[[], str]
) -> None:
    buckets = bucket_factory(), bucket_factory()
    client.write_lines(buckets[0], planted_lines())
    rules: list[dict[str, Any]] = [
        {"rule": "cadence", "every": "1m", "min_share": 0.9},
        {"rule": "freshness", "max_age": "3m"},
        {"rule": "cardinality", "max_growth": 0.15},
    ]
    result = judged(client, buckets, rules)
    assert named(result, "cadence:*") == SPARSE | DENSE
    assert named(result, "freshness") == STALE | SILENT
    assert named(result, "cardinality") == NEW
    assert {name: one["violations"] for name, one in by_rule(result).items()} == {
        "cadence:*": 3,
        "freshness": 2,
        "cardinality": 1,
    }
    patient = [
        {"rule": "cadence", "every": "1m", "min_share": 0.69, "max_share": 2.0},
        {"rule": "freshness", "max_age": "8h"},
        {"rule": "cardinality", "max_growth": 0.2, "max_series": 11},
    ]
    assert judged(client, buckets, patient)["violated"] == []


def test_volume_is_compared_with_the_same_local_hours_when_the_clocks_changed(
    client: InfluxClient, bucket_factory: Callable[[], str]
) -> None:
    buckets = bucket_factory(), bucket_factory()
    local = START.astimezone(ZONE)
    lines = []
    for week, points in ((1, 100), (2, 120), (3, 0), (4, 90)):
        then = (local - week * timedelta(days=7)).astimezone(UTC)
        lines += [line("d00", at, field) for at in minutes(then, points) for field in ("t", "h")]
    lines += [line("d00", at) for at in minutes(START, 45)]
    lines += [line("d00", at, "h") for at in minutes(START, 60)]
    client.write_lines(buckets[0], lines)

    def verdict(**more: Any) -> tuple[bool, str]:
        rule = {"rule": "volume", "name": "volume", "weeks": 4, "field": "t", "min_ratio": 0.5, **more}
        found = by_rule(judged(client, buckets, [rule]))["volume"]
        messages = [example["message"] for example in found["examples"]]
        return found["is_violated"], messages[0] if messages else ""

    # the median of 90, 100 and 120; a week without points tells nothing
    assert verdict(timezone="America/Los_Angeles") == (
        True,
        "45 points are 0.45 times the 100 of 3 past weeks",
    )
    assert verdict(timezone="America/Los_Angeles", field="h") == (False, "")
    assert verdict(timezone="America/Los_Angeles", min_ratio=0.4) == (False, "")
    # the same hours of UTC are an hour beside, and hold the first hour of each week only
    assert verdict() == (False, "")
    assert verdict(min_ratio=0.8) == (True, "45 points are 0.75 times the 60 of 3 past weeks")


def test_share_of_late_points_is_the_ledgers_when_a_reconcile_found_some(
    client: InfluxClient, bucket_factory: Callable[[], str]
) -> None:
    buckets = bucket_factory(), bucket_factory()
    target = bucket_factory()
    on_time = [line("d00", at) for at in minutes(START, 93)]
    client.write_lines(buckets[0], on_time)
    spec = RollupSpec(
        source_bucket=buckets[0],
        target_bucket=target,
        measurement="m",
        grid=GridSpec("1h"),
        aggregates=("count", "sum", "min", "max", "first", "last"),
        pipeline="hours",
        ledger_bucket=buckets[1],
    )

    def now() -> datetime:
        return datetime.now(UTC)

    drive(roll_up(spec, SPAN, RunInfo(), now), client, lambda _report: None)
    client.write_lines(buckets[0], [line("d00", at + MINUTE / 2) for at in minutes(START, 7)])
    drive(reconcile(spec, SPAN, RunInfo(), now), client, lambda _report: None)
    rules = [
        {"rule": "late_share", "name": f"at most {share}", "pipeline": "hours", "max_share": share}
        for share in (0.06, 0.07)
    ]
    result = judged(client, buckets, rules)
    assert result["violated"] == ["at most 0.06"]
    assert by_rule(result)["at most 0.06"]["examples"][0]["message"] == "7 of 100 points (7.0%) came late"
