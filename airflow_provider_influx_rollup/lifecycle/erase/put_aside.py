"""Values that runs have put aside before a delete: those of the series leave the ledger, or a later run would bring them back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
from airflow_provider_influx_rollup.flux.erase import TextRecord, TextRecords
from airflow_provider_influx_rollup.flux.ledger_read import SET_ASIDE_MEASUREMENT, ReceiptsOf
from airflow_provider_influx_rollup.ledger.line_protocol import encode_line
from airflow_provider_influx_rollup.lifecycle.erase.copies import RECORDS
from airflow_provider_influx_rollup.lifecycle.erase.found import Holding
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.lifecycle.erase.targets import Readers, reach_of
from airflow_provider_influx_rollup.lifecycle.pipeline.claims import Claim
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.lifecycle.target.set_aside import RECORD, PointKey, record_without
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Delete, FindBucket, Report, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.all_time import EVER
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval, from_ns


@dataclass(slots=True)
class _Found:
    """Records that hold values of the series.

    :param lines: the records without these
    :param records: the same as they were
    :param windows: starts of the windows that had them, by the pipeline that wrote them
    """

    lines: list[str] = field(default_factory=list)
    records: list[TextRecord] = field(default_factory=list)
    windows: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))


def find_put_aside(spec: EraseSpec, readers: Readers) -> Steps[tuple[Holding, Mapping[str, set[int]]]]:
    """Records with values of rows that are deleted by their tags.

    :return: what is there, and the windows of pipelines that the values are of, by start in nanoseconds
    """
    found = yield from _found(spec, readers)
    name = f"{RECORDS} {SET_ASIDE_MEASUREMENT}"
    details = {"bucket": spec.archive.ledger_bucket}
    return Holding(name, Fingerprint(), len(found.lines), details), found.windows


def clear_put_aside(spec: EraseSpec, readers: Readers) -> Steps[list[TextRecord]]:
    """Write them again without these values, before it is seen who is writing: who has read them before is.

    :return: those that were written again
    """
    found = yield from _found(spec, readers)
    lines = found.lines
    if lines:
        yield from ask(Write(spec.archive.ledger_bucket, lines))
        yield from ask(
            Report(f"{len(lines)} records of {SET_ASIDE_MEASUREMENT} do not hold the series any more")
        )
    return found.records


def forget_settled(spec: EraseSpec, records: Iterable[TextRecord]) -> Steps[None]:
    """Remove records that were written again, of windows that are COMMITTED by now: their runs had forgotten them meanwhile.

    Who commits a window has brought back what was put aside there. Who claims it after that has a record of its own.

    :param records: as ``clear_put_aside`` gives them; those of earlier versions do not tell whose they are, and stay
    """
    ledger = spec.archive.ledger_bucket
    for record in records:
        pipeline, claim = record.tags.get("pipeline", ""), record.tags.get("claim", "")
        instant = Interval(from_ns(record.time_ns), from_ns(record.time_ns) + MICROSECOND)
        receipts = (yield from ask(ReceiptsOf(ledger, pipeline, ROLLUP, instant))) if claim else []
        if any(one.is_committed for one in receipts):
            tags = {"pipeline": pipeline, "claim": claim}
            yield from ask(Delete(ledger, instant, SET_ASIDE_MEASUREMENT, tags))


def _found(spec: EraseSpec, readers: Readers) -> Steps[_Found]:
    found = _Found()
    ledger = spec.archive.ledger_bucket
    reaches = _reaches(spec, readers)
    if not reaches or (yield from ask(FindBucket(ledger))) is None:
        return found
    query = TextRecords(
        ledger_bucket=ledger, measurement=SET_ASIDE_MEASUREMENT, field=RECORD, tags={}, interval=EVER
    )
    wanted = set(spec.tags.items())
    for record in (yield from ask(query)):
        within = reaches.get(record.tags.get("pipeline", ""), [])

        def is_gone(key: PointKey, _: str, within: list[Interval] = within) -> bool:
            tags, time_ns = key
            return wanted <= set(tags) and any(one.start_ns <= time_ns < one.stop_ns for one in within)

        text, lost = record_without(record.text, is_gone)
        if lost:
            found.records.append(record)
            found.lines.append(
                encode_line(SET_ASIDE_MEASUREMENT, record.tags, {RECORD: text}, record.time_ns)
            )
        for (tags, time_ns), values in lost.items():
            for reader in readers.chosen:
                if any(Claim.of(reader.rollup).covers(name, tags) for name in values):
                    found.windows[reader.name].add(time_ns)
    return found


def _reaches(spec: EraseSpec, readers: Readers) -> dict[str, list[Interval]]:
    """Where rows are deleted by their tags, by each pipeline that may have put some of them aside."""
    reaches: dict[str, list[Interval]] = defaultdict(list)
    for place in readers.places():
        reach = reach_of(spec, readers, place)
        if reach is not None:
            for reader in readers.at(place):
                reaches[reader.name].append(reach)
    return reaches
