"""Read the receipts and the history of a pipeline's windows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from airflow_provider_influx_rollup.flux.ledger_history import WindowEvents
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptsOf
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.pipeline.identity import known_spec
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import FindBucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import EPOCH, Interval


def read_receipts(spec: RollupSpec, interval: Interval) -> Steps[list[Receipt]]:
    """The receipts of the windows of an interval, by window.

    :param interval: must be tiled exactly by the grid
    """
    starts = _starts(spec, interval)
    if (yield from ask(FindBucket(spec.ledger_bucket))) is None:
        return []
    spec = yield from known_spec(spec)
    query = ReceiptsOf(spec.ledger_bucket, spec.pipeline_name, ROLLUP, starts)
    return (yield from ask(query))


def receipts_of(
    ledger_bucket: str, pipeline: str, windows: Sequence[Interval]
) -> Steps[dict[Interval, Receipt]]:
    """The receipts that a rollup has of some windows, by window.

    :param windows: in order, at least one
    """
    query = ReceiptsOf(ledger_bucket, pipeline, ROLLUP, Interval.of_starts(windows))
    return {receipt.window: receipt for receipt in (yield from ask(query))}


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
    events = yield from ask(
        WindowEvents(
            ledger_bucket=spec.ledger_bucket,
            pipeline=spec.pipeline_name,
            stage=ROLLUP,
            written=written,
            windows=starts,
        )
    )
    return sorted(events, key=lambda event: (event.written_at, event.window))


def _starts(spec: RollupSpec, interval: Interval) -> Interval:
    windows = spec.grid.grid().windows(interval)
    return Interval.of_starts(windows)
