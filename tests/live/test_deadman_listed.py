"""Deadman checks of series that somebody lists."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.deadman.deadman import check_deadman
from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec
from airflow_provider_influx_rollup.windows.interval import Interval, to_ns

pytestmark = pytest.mark.live

START = datetime(2024, 5, 6, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = Interval(START, START + HOUR)


@pytest.mark.parametrize("group_by", [None, ("device", "site")])
def test_listed_series_lives_when_one_with_more_tags_reports(
    client: InfluxClient, bucket_factory: Callable[[], str], group_by: tuple[str, ...] | None
) -> None:
    points = {("d1", "x"): START, ("d1", "y"): START - HOUR, ("d2", "x"): START - HOUR, ("d2", "y"): START}
    points |= {("d3", "x"): START - HOUR, ("d3", "y"): START - 2 * HOUR, ("d9", "x"): START}
    raw = bucket_factory()
    client.write_lines(
        raw, [f"fleet,device={d},site={s} temp=1 {to_ns(at)}" for (d, s), at in points.items()]
    )
    listed = ({"device": "d1"}, {"device": "d2", "site": "x"}, {"device": "d3"}, {"site": "z"}, {"site": "y"})
    spec = DeadmanSpec(
        bucket=raw, measurement="fleet", group_by=group_by, expected=listed, status_bucket=bucket_factory()
    )
    result = drive(check_deadman(spec, WINDOW), client, lambda _report: None).as_json()
    told = {tuple(sorted(one["series"].items())): (one["state"], one["last_seen"]) for one in result["dead"]}
    expected: dict[Any, Any] = {}
    for tags in listed:
        # in plain Python: an entry lives by each series that has all its tags
        times = [at for (d, s), at in points.items() if tags.items() <= {"device": d, "site": s}.items()]
        if max(times, default=START - HOUR) < START:
            last = max(times).strftime("%Y-%m-%dT%H:%M:%SZ") if times else None
            expected[tuple(sorted(tags.items()))] = ("stopped" if times else "never_started", last)
    assert told == expected
    assert len(expected) == 3
    # d9 alone has the tags of no entry
    assert (result["alive"], result["unexpected"]) == (2, 1)
