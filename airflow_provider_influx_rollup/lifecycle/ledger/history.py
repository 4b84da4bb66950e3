"""Read the receipts and the history of a pipeline's windows."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow_provider_influx_rollup.flux.ledger_history import events_query
from airflow_provider_influx_rollup.flux.ledger_read import receipts_query
from airflow_provider_influx_rollup.ledger.codec import decode_receipts
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.pipeline.identity import known_spec
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import FindBucket, Query
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import EPOCH, MICROSECOND, Interval, from_ns, to_ns


def read_receipts(spec: RollupSpec, interval: Interval) -> Steps[list[Receipt]]:
    """The receipts of the windows of an interval, by window.

    :param interval: must be tiled exactly by the grid
    """
    starts = _starts(spec, interval)
    if (yield from ask(FindBucket(spec.ledger_bucket))) is None:
        return []
    spec = yield from known_spec(spec)
    query = receipts_query(spec.ledger_bucket, spec.pipeline_name, ROLLUP, starts)
    return decode_receipts((yield from ask(Query(query, as_sent=True))))


def read_history(spec: RollupSpec, interval: Interval, now: datetime) -> Steps[list[Receipt]]:
    """Every change of the windows of an interval, the oldest first.

    :param interval: must be tiled exactly by the grid
    :param now: the time now, aware UTC
    """
    starts = _starts(spec, interval)
    if (yield from ask(FindBucket(spec.ledger_bucket))) is None:
        return []
    spec = yield from known_spec(spec)
    # clocks of workers differ
    written = Interval(EPOCH, now + timedelta(days=1))
    rows = yield from ask(
        Query(events_query(spec.ledger_bucket, spec.pipeline_name, ROLLUP, written, starts), as_sent=True)
    )
    events = [
        {**row, "_time": from_ns(row["window_start_ns"]), "written_at_ns": to_ns(row["_time"])}
        for row in rows
    ]
    return sorted(decode_receipts(events), key=lambda event: (event.written_at, event.window))


def _starts(spec: RollupSpec, interval: Interval) -> Interval:
    windows = spec.grid.grid().windows(interval)
    return Interval(windows[0].start, windows[-1].start + MICROSECOND)
