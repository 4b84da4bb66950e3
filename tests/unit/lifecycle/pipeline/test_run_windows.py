"""Which windows a run rolls up when its data interval is not made of whole windows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta

from airflow_provider_influx_rollup.flux.ledger_read import ReceiptState, ReceiptStates
from airflow_provider_influx_rollup.flux.query import Together
from airflow_provider_influx_rollup.ledger.bucket_names import BucketNames
from airflow_provider_influx_rollup.ledger.codec import SpecRecord
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.pipeline.run_windows import interval_to_run
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.steps.influx import Bucket, FindBucket
from airflow_provider_influx_rollup.windows.interval import EPOCH, Interval
from tests.scenes.scripted_driver import Answers, Script

HOURLY = RollupSpec(
    source_bucket="raw",
    target_bucket="rolled",
    measurement="m",
    grid=GridSpec("1h"),
    aggregates={"v": ("count",)},
    pipeline="hourly",
    ledger_bucket="l",
)
DAILY = RollupSpec(
    source_bucket="rolled",
    target_bucket="days",
    measurement="m",
    grid=GridSpec("1d"),
    aggregates={"v": ("count",)},
    pipeline="daily",
    ledger_bucket="l",
    source_tier="hourly",
)


def hours(start: int, stop: int) -> Interval:
    return Interval(EPOCH + timedelta(hours=start), EPOCH + timedelta(hours=stop))


def ledger(committed: Iterable[int]) -> Answers:
    """What the ledger answers: the spec of the tier below, and its windows that are COMMITTED."""
    spec_hash = HOURLY.spec_hash()
    record = SpecRecord.of(
        {
            "pipeline": "hourly",
            "spec_hash": spec_hash,
            "spec": json.dumps(HOURLY.as_json()),
            "last_used_ns": 1,
            "bucket_ids": "{}",
        }
    )
    states = [
        ReceiptState(window=hours(n, n + 1), state=State.COMMITTED, written_at_ns=1, spec_hash=spec_hash)
        for n in committed
    ]
    found = (FindBucket, Bucket(name="l", retention_seconds=0, shard_group_seconds=0))
    return [found, (Together, ([record], BucketNames())), (ReceiptStates, states)]


def test_run_is_about_its_interval_when_the_grid_must_tile_it() -> None:
    assert Script(interval_to_run(DAILY, hours(0, 24), "tiled"), []).run() == (hours(0, 24), "")


def test_run_is_about_the_windows_that_end_in_its_interval() -> None:
    assert Script(interval_to_run(DAILY, hours(20, 26), "ending"), []).run() == (hours(0, 24), "")
    span, why = Script(interval_to_run(DAILY, hours(1, 23), "ending"), []).run()
    assert span is None
    assert "no window of 1d ends in" in why


def test_window_over_the_edges_is_rolled_up_by_the_run_that_completes_it() -> None:
    steps = interval_to_run(DAILY, hours(20, 24), "complete")
    assert Script(steps, ledger(range(24))).run() == (hours(0, 24), "")


def test_run_says_what_a_window_waits_for_when_the_tier_below_is_not_complete() -> None:
    steps = interval_to_run(DAILY, hours(20, 24), "complete")
    span, why = Script(steps, ledger([*range(5), *range(7, 24)])).run()
    assert span is None
    assert "waits for 2 windows of pipeline 'hourly', first for [1970-01-01T05:00:00Z" in why


def test_window_inside_the_interval_is_rolled_up_whatever_it_lacks() -> None:
    steps = interval_to_run(DAILY, hours(0, 24), "complete")
    assert Script(steps, ledger([])).run() == (hours(0, 24), "")
