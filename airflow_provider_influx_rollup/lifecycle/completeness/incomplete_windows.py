"""Windows that a pipeline rolled up although their source lacked something: marked, and examined again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from airflow_provider_influx_rollup.exceptions import BucketNotFound
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptsOf
from airflow_provider_influx_rollup.ledger.codec import encode_incomplete, encode_receipts
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
from airflow_provider_influx_rollup.lifecycle.completeness.unknown_pipeline import unknown_pipeline
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import load_stored, rollups_in_force
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import EnsureBucket, Report, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.touched import windows_touched


@dataclass(frozen=True, slots=True)
class CompleteWhen:
    """The completeness spec of a window that was rolled up incomplete, as its receipt keeps it.

    :param interval: what the sensor looked at; the window is a part of it, or the other way round
    """

    spec: CompletenessSpec
    interval: Interval

    def as_text(self) -> str:
        """JSON."""
        return json.dumps({"spec": asdict(self.spec), "interval": self.interval.as_json()}, sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> CompleteWhen:
        """Undo ``as_text``."""
        values = json.loads(text)
        return cls(CompletenessSpec.from_json(values["spec"]), Interval.from_json(values["interval"]))


def mark_incomplete(
    spec: CompletenessSpec, interval: Interval, lacking: Mapping[Interval, str], now: datetime
) -> Steps[str]:
    """Say in the receipts of the pipeline what its source lacks, and in the others that it lacks nothing.

    A window without a receipt gets one, PLANNED; runs carry the mark on.

    :param interval: what was looked at
    :param lacking: the windows of the look that are incomplete, each with the reason
    :param now: the present time
    :return: that the ledger does not know the pipeline; empty when it does
    """
    if spec.pipeline is None:
        return ""
    yield from ask(EnsureBucket(spec.ledger_bucket))
    stored = yield from load_stored(spec.ledger_bucket)
    unknown = unknown_pipeline(spec.pipeline, stored)
    if unknown:
        unknown = f"{unknown}: the marks are for the first run of a pipeline of that name"
        yield from ask(Report(f"{interval}: {unknown}", "warning"))
    spec_hash, touched = _windows_of_pipeline(spec, lacking, stored)
    known = yield from _receipts(spec, Interval.spanning([interval, *touched]))
    text = CompleteWhen(replace(spec, pipeline=None, accept_partial_after=None), interval).as_text()
    lines: list[str] = []
    for window, why in touched.items():
        receipt = known.pop(window.start, None)
        if receipt is not None and receipt.window != window:
            yield from ask(
                Report(f"{window}: the receipt there is of {receipt.window}, left as it is", "warning")
            )
        elif receipt is not None:
            lines += encode_incomplete([replace(receipt, incomplete=why, complete_when=text)])
        else:
            planned = Receipt(
                pipeline=spec.pipeline,
                stage=ROLLUP,
                window=window,
                state=State.PLANNED,
                written_at=now,
                spec_hash=spec_hash,
            )
            lines += encode_receipts([replace(planned, incomplete=why, complete_when=text)])
    lines += _unmarked(receipt for receipt in known.values() if _is_about(receipt, interval))
    if lines:
        yield from ask(Write(spec.ledger_bucket, lines))
    return unknown


def mark_complete(spec: CompletenessSpec, interval: Interval) -> Steps[None]:
    """Take the marks of a pipeline's windows in an interval away: their source lacks nothing any more."""
    if spec.pipeline is None:
        return
    try:
        known = yield from _receipts(spec, interval)
    except BucketNotFound:
        return
    yield from unmark(spec.ledger_bucket, [one for one in known.values() if _is_about(one, interval)])


def unmark(ledger_bucket: str, receipts: Iterable[Receipt]) -> Steps[None]:
    """Take the marks of these receipts away, and leave the rest of them as it is by now."""
    lines = _unmarked(receipts)
    if lines:
        yield from ask(Write(ledger_bucket, lines))


def _unmarked(receipts: Iterable[Receipt]) -> list[str]:
    marked = (receipt for receipt in receipts if receipt.incomplete)
    return encode_incomplete(replace(receipt, incomplete="", complete_when="") for receipt in marked)


def _is_about(receipt: Receipt, interval: Interval) -> bool:
    """Whether a look at an interval says all of what a mark asks for."""
    if not receipt.complete_when:
        return False
    asked = CompleteWhen.from_text(receipt.complete_when).interval
    return interval.start <= asked.start and asked.stop <= interval.stop


def _receipts(spec: CompletenessSpec, span: Interval) -> Steps[dict[datetime, Receipt]]:
    receipts = yield from ask(ReceiptsOf(spec.ledger_bucket, str(spec.pipeline), ROLLUP, span))
    return {receipt.window.start: receipt for receipt in receipts}


def _windows_of_pipeline(
    spec: CompletenessSpec, lacking: Mapping[Interval, str], stored: Sequence[StoredSpec]
) -> tuple[str, dict[Interval, str]]:
    """The hash of the pipeline's spec, and which of its windows need what is lacking, as far as the ledger knows it."""
    known = rollups_in_force(stored).get(str(spec.pipeline))
    if known is None or known.grid.grid().is_sliding:
        return known.spec_hash() if known else "", dict(lacking)
    grid = known.grid.grid()
    touched: dict[Interval, str] = {}
    for window, why in lacking.items():
        touched.update(dict.fromkeys(windows_touched(grid, window), why))
    return known.spec_hash(), touched
