"""The receipts and the history of a pipeline's windows, as they are read from a ledger."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow_provider_influx_rollup.flux.ledger_history import WindowEvents
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptsOf
from airflow_provider_influx_rollup.flux.query import Together
from airflow_provider_influx_rollup.ledger.bucket_names import BucketNames
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.ledger.history import read_history, read_receipts
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.steps.influx import Bucket, FindBucket
from airflow_provider_influx_rollup.windows.interval import EPOCH, Interval
from tests.scenes.scripted_driver import Script

HOUR = timedelta(hours=1)
DAY = Interval(EPOCH, EPOCH + 24 * HOUR)
NOW = EPOCH + timedelta(days=9)
SPEC = RollupSpec(
    source_bucket="raw",
    target_bucket="rolled",
    measurement="m",
    grid=GridSpec("1h"),
    aggregates={"v": ("count",)},
    pipeline="hourly",
    ledger_bucket="l",
)
LEDGER = (FindBucket, Bucket(name="l", retention_seconds=0, shard_group_seconds=0))
NO_SPECS = (Together, ([], BucketNames()))


def receipt(hour: int, written: int, state: State = State.COMMITTED) -> Receipt:
    window = Interval(EPOCH + hour * HOUR, EPOCH + (hour + 1) * HOUR)
    written_at = EPOCH + timedelta(days=1, seconds=written)
    return Receipt(pipeline="hourly", stage="rollup", window=window, state=state, written_at=written_at)


def test_receipts_are_those_of_windows_that_start_in_the_interval() -> None:
    known = [receipt(0, 1), receipt(23, 2)]
    script = Script(read_receipts(SPEC, DAY), [LEDGER, NO_SPECS, (ReceiptsOf, known)])
    assert script.run() == known
    query: Any = script.asked[-1]
    assert (query.ledger_bucket, query.pipeline, query.stage) == ("l", "hourly", "rollup")
    assert query.interval.start == DAY.start
    assert DAY.stop - HOUR < query.interval.stop < DAY.stop


def test_history_is_in_the_order_in_which_it_was_written() -> None:
    events = [receipt(1, 5), receipt(0, 5), receipt(0, 2, State.WRITING)]
    script = Script(read_history(SPEC, DAY, NOW), [LEDGER, NO_SPECS, (WindowEvents, events)])
    assert script.run() == [events[2], events[1], events[0]]
    query: Any = script.asked[-1]
    assert query.windows.start == DAY.start
    # the clock of a worker may be ahead
    assert query.written.start <= EPOCH
    assert query.written.stop > NOW


def test_there_is_no_history_when_there_is_no_ledger() -> None:
    for steps in (read_receipts(SPEC, DAY), read_history(SPEC, DAY, NOW)):
        assert Script(steps, [(FindBucket, None)]).run() == []
