"""Completeness of windows on a real server."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import BucketNotFound, WindowMisaligned
from airflow_provider_influx_rollup.flux.completeness import SeriesCounts
from airflow_provider_influx_rollup.ledger.codec import encode_receipts
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.completeness.completeness import check_windows
from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
from airflow_provider_influx_rollup.windows.equal_runs import equal_runs
from airflow_provider_influx_rollup.windows.interval import Interval

pytestmark = pytest.mark.live

START = datetime(2024, 5, 6, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = Interval(START, START + HOUR)
LONG_AFTER = START + 100 * HOUR

Look = Callable[..., tuple[dict[str, Any] | None, str]]


def ns(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def put(client: InfluxClient, bucket: str, device: str, first: datetime, count: int, step: timedelta) -> None:
    client.write_lines(
        bucket,
        [f'fleet,device={device},site=a temp={n},state="on" {ns(first + n * step)}' for n in range(count)],
    )


@pytest.fixture
def spec(bucket_factory: Callable[[], str]) -> CompletenessSpec:
    return CompletenessSpec(
        bucket=bucket_factory(), measurement="fleet", every="1h", ledger_bucket=bucket_factory()
    )


@pytest.fixture
def look(client: InfluxClient) -> Look:
    """Looks once; the event and what was reported."""

    def once(spec: CompletenessSpec, interval: Interval = WINDOW, now: datetime = LONG_AFTER) -> Any:
        lines: list[str] = []
        found = drive(
            check_windows(spec, interval, lambda: now), client, lambda report: lines.append(report.message)
        )
        return found and found.as_json(), "\n".join(lines)

    return once


def test_any_point_is_enough_when_nothing_else_is_said(
    client: InfluxClient, spec: CompletenessSpec, look: Look
) -> None:
    found, text = look(spec)
    assert found is None
    assert "no point yet" in text
    put(client, spec.bucket, "d1", START, 3, timedelta(minutes=1))
    found, _ = look(spec)
    assert found == {
        "window": {"start": "2024-05-06T10:00:00Z", "stop": "2024-05-06T11:00:00Z"},
        "windows": 1,
        "rows": 6,
        "series": 1,
        "missing_series": [],
        "missing_series_count": 0,
        "watermark": "2024-05-06T10:02:00Z",
        "completeness": 1.0,
        "upstream": None,
        "upstream_incomplete": 0,
        "incomplete": [],
        "incomplete_count": 0,
        "state": "complete",
    }


def test_window_is_not_due_when_lateness_has_not_passed(
    client: InfluxClient, spec: CompletenessSpec, look: Look
) -> None:
    put(client, spec.bucket, "d1", START, 1, HOUR)
    late = replace(spec, lateness="10m")
    found, text = look(late, now=START + HOUR + timedelta(minutes=9, seconds=59))
    assert found is None
    assert "not due before 2024-05-06T11:10:00Z" in text
    assert look(late, now=START + HOUR + timedelta(minutes=10))[0] is not None


def test_points_outside_do_not_count_when_they_touch_the_window(
    client: InfluxClient, spec: CompletenessSpec, look: Look
) -> None:
    put(client, spec.bucket, "d1", START - timedelta(microseconds=1), 1, HOUR)
    put(client, spec.bucket, "d1", START + HOUR, 1, HOUR)
    assert look(spec)[0] is None


@pytest.mark.recorded
def test_series_are_waited_for_when_a_number_is_expected(
    client: InfluxClient, spec: CompletenessSpec, look: Look
) -> None:
    put(client, spec.bucket, "d1", START, 1, HOUR)
    found, text = look(replace(spec, expected=2))
    assert found is None
    assert "1 more series expected" in text
    put(client, spec.bucket, "d2", START, 1, HOUR)
    found, _ = look(replace(spec, expected=2))
    assert found is not None
    assert found["series"] == 2


def test_missing_series_is_named_when_a_list_is_expected(
    client: InfluxClient, spec: CompletenessSpec, look: Look
) -> None:
    put(client, spec.bucket, "d1", START, 1, HOUR)
    put(client, spec.bucket, "d7", START, 1, HOUR)
    listed = replace(spec, expected=({"device": "d1"}, {"device": "d2", "site": "a"}))
    found, text = look(listed)
    assert found is None
    assert "1 series missing: device=d2, site=a" in text
    put(client, spec.bucket, "d2", START, 1, HOUR)
    assert look(listed)[0] is not None


def test_series_seen_before_is_waited_for_when_the_inventory_is_expected(
    client: InfluxClient, spec: CompletenessSpec, look: Look
) -> None:
    put(client, spec.bucket, "d1", START - HOUR, 1, HOUR)
    put(client, spec.bucket, "ancient", START - 48 * HOUR, 1, HOUR)
    put(client, spec.bucket, "new", START, 1, HOUR)
    inventory = replace(spec, expected="inventory", inventory_lookback="1d")
    found, text = look(inventory)
    assert found is None
    assert "1 series missing: device=d1, site=a" in text
    put(client, spec.bucket, "d1", START, 1, HOUR)
    assert look(inventory)[0] is not None


def test_points_are_counted_when_a_cadence_is_given(
    client: InfluxClient, spec: CompletenessSpec, look: Look
) -> None:
    put(client, spec.bucket, "d1", START, 60, timedelta(minutes=1))
    put(client, spec.bucket, "d2", START, 45, timedelta(minutes=1))
    strict = replace(spec, cadence="1m")
    found, text = look(strict)
    assert found is None
    assert "1 series below min_completeness: device=d2, site=a (75.0%)" in text
    found, _ = look(replace(strict, min_completeness=0.75))
    assert found is not None
    assert found["completeness"] == 0.875
    assert look(replace(strict, expected=({"device": "d1"},)))[0] is not None


def test_all_windows_count_when_the_interval_holds_several(
    client: InfluxClient, spec: CompletenessSpec, look: Look
) -> None:
    interval = Interval(START, START + 3 * HOUR)
    put(client, spec.bucket, "d1", START, 1, HOUR)
    put(client, spec.bucket, "d1", START + 2 * HOUR, 1, HOUR)
    found, text = look(spec, interval)
    assert found is None
    assert "1 of 3 windows are incomplete; [2024-05-06T11:00:00Z, 2024-05-06T12:00:00Z): no point yet" in text
    put(client, spec.bucket, "d1", START + HOUR, 1, HOUR)
    found, _ = look(spec, interval)
    assert found is not None
    assert (found["windows"], found["rows"], found["watermark"]) == (3, 6, "2024-05-06T12:00:00Z")


def test_short_local_day_is_complete_with_fewer_points(
    client: InfluxClient, bucket_factory: Callable[[], str], look: Look
) -> None:
    spec = CompletenessSpec(
        bucket=bucket_factory(), measurement="fleet", every="1d", timezone="America/Los_Angeles", cadence="1h"
    )
    start = datetime(2024, 3, 9, 8, tzinfo=UTC)
    days = Interval(start, start + 24 * HOUR + 23 * HOUR + 24 * HOUR)
    put(client, spec.bucket, "d1", start, 71, HOUR)
    found, _ = look(spec, days)
    assert found is not None
    assert (found["windows"], found["completeness"]) == (3, 1.0)


def receipt(window: Interval, state: State) -> Receipt:
    return Receipt(pipeline="raw_1h", stage="rollup", window=window, state=state, written_at=LONG_AFTER)


def test_upstream_is_waited_for_when_its_windows_are_not_all_committed(
    client: InfluxClient, spec: CompletenessSpec, look: Look
) -> None:
    interval = Interval(START, START + 2 * HOUR)
    second = Interval(START + HOUR, START + 2 * HOUR)
    put(client, spec.bucket, "d1", START, 2, HOUR)
    upstream = replace(spec, upstream="raw_1h")
    assert "2 of 2 windows are not COMMITTED by raw_1h" in look(upstream, interval)[1]
    client.write_lines(
        spec.ledger_bucket,
        encode_receipts([receipt(WINDOW, State.COMMITTED), receipt(second, State.WRITING)]),
    )
    found, text = look(upstream, interval)
    assert found is None
    assert "1 of 2 windows are not COMMITTED by raw_1h" in text
    client.write_lines(spec.ledger_bucket, encode_receipts([receipt(second, State.COMMITTED)]))
    found, _ = look(upstream, interval)
    assert found is not None
    assert found["upstream"] == "raw_1h"


def test_receipt_of_another_window_does_not_count_when_only_its_start_is_equal(
    client: InfluxClient, spec: CompletenessSpec, look: Look
) -> None:
    put(client, spec.bucket, "d1", START, 1, HOUR)
    longer = Interval(START, START + 2 * HOUR)
    client.write_lines(spec.ledger_bucket, encode_receipts([receipt(longer, State.COMMITTED)]))
    assert look(replace(spec, upstream="raw_1h"))[0] is None


def test_upstream_is_waited_for_when_there_is_no_ledger_yet(
    client: InfluxClient, spec: CompletenessSpec, look: Look
) -> None:
    put(client, spec.bucket, "d1", START, 1, HOUR)
    found, text = look(replace(spec, upstream="raw_1h", ledger_bucket="no_ledger_yet"))
    assert found is None
    assert "not COMMITTED" in text


def test_unknown_bucket_is_named_when_it_does_not_exist(spec: CompletenessSpec, look: Look) -> None:
    with pytest.raises(BucketNotFound, match="no_such_bucket"):
        look(replace(spec, bucket="no_such_bucket"))


def test_interval_is_refused_when_the_grid_does_not_tile_it(spec: CompletenessSpec, look: Look) -> None:
    with pytest.raises(WindowMisaligned):
        look(spec, Interval(START, START + timedelta(minutes=90)))


def test_counts_are_pushed_down(client: InfluxClient, spec: CompletenessSpec) -> None:
    put(client, spec.bucket, "d1", START, 1, HOUR)
    query = SeriesCounts(replace(spec, fields=("temp", "!state")).source, equal_runs([WINDOW])[0]).flux()
    profiled = f'import "profiler"\noption profiler.enabledProfilers = ["query"]\n{query}'
    plans = [row["flux/query-plan"] for row in client.query(profiled) if row.get("flux/query-plan")]
    assert set(re.findall(r"Read[A-Za-z]+", " ".join(plans))) == {"ReadWindowAggregateByTime"}
