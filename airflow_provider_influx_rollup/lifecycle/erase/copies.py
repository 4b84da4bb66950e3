"""Copies and records that name the series: the quarantine, statuses of deadman checks, records of the ledger."""

from __future__ import annotations

from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
from airflow_provider_influx_rollup.flux.deadman import STATUS_MEASUREMENT
from airflow_provider_influx_rollup.flux.erase import TextRecords
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.ledger.codec import EVENT_MEASUREMENT
from airflow_provider_influx_rollup.ledger.line_protocol import encode_line
from airflow_provider_influx_rollup.lifecycle.erase.found import Holding
from airflow_provider_influx_rollup.lifecycle.erase.source import delete_matching, find_matching, source_of
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.lifecycle.erase.texts import NAMING, TextField
from airflow_provider_influx_rollup.lifecycle.source.buckets import require_bucket
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import FindBucket, Report, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.all_time import EVER
from airflow_provider_influx_rollup.windows.interval import Interval

COPIES, STATUSES, RECORDS = "copies", "statuses", "records"
SOURCE_MEASUREMENT = "_source_measurement"
LINES_PER_WRITE = 1_000


def find_copies(spec: EraseSpec) -> Steps[tuple[list[Holding], list[Interval]]]:
    """Points of the series in the quarantine, the statuses and the ledger.

    :return: what is there, and the parts of time in which there are copies of points
    :raises BucketNotFound: when a bucket that was named is not there
    """
    held: list[Holding] = []
    spans: list[Interval] = []
    for place, source in _sources(spec).items():
        bucket = yield from require_bucket(source.bucket, None, fix="correct the name, or leave it out")
        found = yield from find_matching(bucket, source, spec.span, spec.archive.max_rows_per_read)
        details = {"bucket": source.bucket, "measurement": source.measurement}
        held.append(Holding.of(place, found.points, **details))
        if place.startswith(f"{COPIES} "):
            spans += found.spans
    for texts in NAMING:
        lines = yield from _rewritten(spec, texts)
        place = f"{RECORDS} {texts.name}"
        held.append(Holding(place, Fingerprint(), len(lines), {"bucket": spec.archive.ledger_bucket}))
    return held, spans


def clear_copies(spec: EraseSpec) -> Steps[None]:
    """Delete them; records are written again without the series.

    :raises PartialWrite: when points are still there after they were deleted
    """
    for source in _sources(spec).values():
        yield from delete_matching(source, spec.span)
    for texts in NAMING:
        lines = yield from _rewritten(spec, texts)
        for first in range(0, len(lines), LINES_PER_WRITE):
            yield from ask(Write(spec.archive.ledger_bucket, lines[first : first + LINES_PER_WRITE]))
        if lines:
            yield from ask(Report(f"{len(lines)} records of {texts.name} do not name the series any more"))


def _sources(spec: EraseSpec) -> dict[str, RollupSource]:
    """Intervals in which points are deleted by their tags, by place."""
    measurement = spec.archive.measurement
    found = {f"{COPIES} {'/'.join(place)}": source_of(*place, spec.tags) for place in spec.copied_to}
    tags = {**spec.tags, SOURCE_MEASUREMENT: measurement}
    return found | {
        f"{STATUSES} {bucket}": source_of(bucket, STATUS_MEASUREMENT, tags) for bucket in spec.status_buckets
    }


def _rewritten(spec: EraseSpec, texts: TextField) -> Steps[list[str]]:
    """The records that name the series, as lines that do not."""
    ledger = spec.archive.ledger_bucket
    if (yield from ask(FindBucket(ledger))) is None:
        return []
    tags = {texts.tag: spec.archive.measurement} if texts.tag else {}
    span = EVER if texts.measurement == EVENT_MEASUREMENT else spec.span
    query = TextRecords(
        ledger_bucket=ledger, measurement=texts.measurement, field=texts.field, tags=tags, interval=span
    )
    lines = []
    for record in (yield from ask(query)):
        clean = texts.clean(record.text, spec)
        if clean is not None:
            lines.append(encode_line(texts.measurement, record.tags, texts.fields(clean), record.time_ns))
    return lines
