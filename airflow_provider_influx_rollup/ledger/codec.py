"""Receipts, history events and pipeline specs to line protocol and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.ledger.bucket_names import BucketNames
from airflow_provider_influx_rollup.ledger.line_protocol import (
    FieldValue,
    LineTemplate,
    encode_line,
    encode_value,
)
from airflow_provider_influx_rollup.ledger.planned import PLAN, PlanTemplate, with_plan
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.windows.interval import Interval, from_ns, to_ns

RECEIPT_MEASUREMENT = "window_receipt"
EVENT_MEASUREMENT = "window_event"
SPEC_MEASUREMENT = "pipeline_spec"
SOURCE_KEY, TARGET_KEY = BUCKET_KEYS = ("source_bucket", "target_bucket")
OF_LEDGER = frozenset({"hashed_as", "known_as"})
# the run that made the window WRITING last, and the one that committed it: two fields, so that neither write hides the other
CLAIMED_BY, COMMITTED_BY = CLAIM_FIELDS = ("claimed_by", "committed_by")
NO_NAMES = BucketNames()
# what only commits write; a window that was never committed has none of them
OF_COMMITS = ("checksum", "generation", "rows_in", "rows_out", "seconds", "series")
# only of windows of a tier; templates take names in alphabetical order, in which it stands in between
MERGED_FROM = "merged_from"
BEFORE_MERGED_FROM, AFTER_MERGED_FROM = OF_COMMITS[:2], OF_COMMITS[2:]
# what else the receipts of one run rarely differ in
SHARED_BY_WINDOWS = attrgetter(
    *("pipeline", "stage", "state", "spec_hash", "dag_id", "task_id", "run_id", "try_number", "map_index"),
    *("reason", "forced", "incomplete", "complete_when", "claim_id", "template_hash"),
)


def encode_receipts(receipts: Iterable[Receipt], first: int = 0) -> list[str]:
    """Two lines for each receipt: the window's present state, and an event of its history.

    An event's time is the wall clock; windows that were written at once are a nanosecond apart.

    :param first: how many receipts are written at once with these, before them
    """
    lines: list[str] = []
    templates: dict[tuple[object, ...], _Templates] = {}
    for number, receipt in enumerate(receipts, first):
        # thousands of receipts of a run differ in a few numbers
        same = (receipt.merged_from is None, *SHARED_BY_WINDOWS(receipt))
        made = templates.get(same)
        if made is None:
            made = templates[same] = _Templates.of(receipt)
        written = to_ns(receipt.written_at)
        lines += made.lines(receipt.window, _numbers_of_commit(receipt), written, number, receipt.merged_from)
    return lines


def encode_alike(receipt: Receipt, windows: Iterable[Interval], first: int = 0) -> list[str]:
    """What ``encode_receipts`` makes of receipts that differ in nothing but their windows.

    :param receipt: of one of the windows
    """
    made, commit, written = _Templates.of(receipt), _numbers_of_commit(receipt), to_ns(receipt.written_at)
    return [
        line
        for number, window in enumerate(windows, first)
        for line in made.lines(window, commit, written, number, receipt.merged_from)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Templates:
    """What the lines of receipts that differ in their windows' numbers share."""

    receipt: LineTemplate
    event: LineTemplate
    plan: PlanTemplate | None
    is_committed: bool
    is_merged: bool

    @classmethod
    def of(cls, receipt: Receipt) -> _Templates:
        shared, tags = _shared_fields(receipt), _tags(receipt)
        of_receipt, own = _receipt_fields(receipt, shared)
        return cls(
            receipt=LineTemplate(RECEIPT_MEASUREMENT, tags, of_receipt, own),
            # the window is a field: as a tag it would give the ledger new series for every window, forever
            event=LineTemplate(EVENT_MEASUREMENT, tags, shared, (*OF_COMMITS, "stop_ns", "window_start_ns")),
            plan=PlanTemplate(receipt) if receipt.state is State.PLANNED else None,
            is_committed=receipt.is_committed,
            is_merged=receipt.merged_from is not None,
        )

    def lines(
        self, window: Interval, commit: tuple[str, ...], written: int, number: int, merged_from: str | None
    ) -> tuple[str, str]:
        start, stop_ns = window.start_ns, window.stop_ns
        stop = encode_value("stop_ns", stop_ns)
        own: tuple[str, ...] = (stop, encode_value("written_at_ns", written))
        if self.plan is not None:
            own = (self.plan.value(stop_ns, written),)
        elif self.is_committed:
            merged = (encode_value(MERGED_FROM, merged_from or ""),) if self.is_merged else ()
            before = len(BEFORE_MERGED_FROM)
            own = (*commit[:before], *merged, *commit[before:], *own)
        return (
            self.receipt.line(own, start),
            self.event.line((*commit, stop, encode_value("window_start_ns", start)), written + number),
        )


def _receipt_fields(
    receipt: Receipt, shared: Mapping[str, FieldValue]
) -> tuple[dict[str, FieldValue], tuple[str, ...]]:
    """The fields of a receipt: those with one value for all windows of a run, and the names of the others."""
    if receipt.state is State.PLANNED:
        # another run may have begun or committed the window since: what it says stays as it is
        lacks = {"incomplete": receipt.incomplete, "complete_when": receipt.complete_when}
        return {name: text for name, text in lacks.items() if text}, (PLAN,)
    fields: dict[str, FieldValue] = {**shared, "complete_when": receipt.complete_when}
    if receipt.claim_id:
        fields[COMMITTED_BY if receipt.is_committed else CLAIMED_BY] = receipt.claim_id
    if receipt.is_committed:
        merged = () if receipt.merged_from is None else (MERGED_FROM,)
        names = (*BEFORE_MERGED_FROM, *merged, *AFTER_MERGED_FROM)
        return fields, (*names, "stop_ns", "written_at_ns")
    # another run may have committed since the numbers were read, and those in the ledger are its
    return {**fields, PLAN: ""}, ("stop_ns", "written_at_ns")


def _numbers_of_commit(receipt: Receipt) -> tuple[str, ...]:
    """In the order of ``OF_COMMITS``."""
    return (
        encode_value("checksum", receipt.checksum),
        encode_value("generation", receipt.generation),
        encode_value("rows_in", receipt.rows_in),
        encode_value("rows_out", receipt.rows_out),
        encode_value("seconds", float(receipt.seconds)),
        encode_value("series", receipt.series),
    )


def encode_put_back(receipts: Iterable[Receipt]) -> list[str]:
    """Receipts as they were before a run claimed their windows."""
    known = list(receipts)
    back = [
        # of a window that nobody had begun, the state is not among the fields
        _claims_line(one, {CLAIMED_BY: one.claim_id, COMMITTED_BY: one.claim_id, "state": one.state.value})
        for one in known
    ]
    return [*encode_receipts(known), *back]


def encode_claims(receipts: Iterable[Receipt], claim_id: str) -> list[str]:
    """One line for each receipt with only a new claim, after which a commit by an earlier claim does not count."""
    return [_claims_line(receipt, {CLAIMED_BY: claim_id}) for receipt in receipts]


def _claims_line(receipt: Receipt, fields: Mapping[str, str]) -> str:
    return encode_line(RECEIPT_MEASUREMENT, _tags(receipt), fields, receipt.window.start_ns)


def _tags(receipt: Receipt) -> dict[str, str]:
    return {"pipeline": receipt.pipeline, "stage": receipt.stage}


def encode_incomplete(receipts: Iterable[Receipt]) -> list[str]:
    """One line for each receipt with only what it lacks: the state that a run writes meanwhile stays."""
    return [
        encode_line(
            RECEIPT_MEASUREMENT,
            _tags(receipt),
            {"incomplete": receipt.incomplete, "complete_when": receipt.complete_when},
            receipt.window.start_ns,
        )
        for receipt in receipts
    ]


def _shared_fields(receipt: Receipt) -> dict[str, FieldValue]:
    template = {} if receipt.template_hash is None else {"template_hash": receipt.template_hash}
    return {
        "state": receipt.state.value,
        "spec_hash": receipt.spec_hash,
        "dag_id": receipt.dag_id,
        "task_id": receipt.task_id,
        "run_id": receipt.run_id,
        "try_number": receipt.try_number,
        "map_index": receipt.map_index,
        "reason": receipt.reason,
        "forced": receipt.forced,
        "incomplete": receipt.incomplete,
        **template,
    }


def decode_receipts(rows: Iterable[Mapping[str, Any]]) -> list[Receipt]:
    """Receipts from pivoted rows (one row per window), by window start.

    :param rows: what ``ReceiptsOf`` returns
    """
    return sorted((_receipt(row) for row in rows), key=lambda receipt: receipt.window)


def state_of(row: Mapping[str, Any]) -> State:
    """The state that a receipt's row says: one that a run committed after another had claimed the window is WRITING.

    :param row: with ``state``, unless nobody has begun the window, and ``CLAIM_FIELDS``
    """
    state = State(row.get("state") or State.PLANNED)
    claimed_by, committed_by = row.get(CLAIMED_BY), row.get(COMMITTED_BY)
    is_overtaken = bool(claimed_by) and bool(committed_by) and claimed_by != committed_by
    return State.WRITING if state is State.COMMITTED and is_overtaken else state


def _receipt(stored: Mapping[str, Any]) -> Receipt:
    row = with_plan(stored)
    start: datetime = row["_time"]
    state = state_of(row)
    return Receipt(
        pipeline=row["pipeline"],
        stage=row["stage"],
        window=Interval(start, from_ns(row["stop_ns"])),
        state=state,
        written_at=from_ns(row["written_at_ns"]),
        generation=row.get("generation") or 0,
        rows_in=row.get("rows_in") or 0,
        rows_out=row.get("rows_out") or 0,
        series=row.get("series") or 0,
        checksum=row.get("checksum") or "",
        spec_hash=row.get("spec_hash") or "",
        dag_id=row.get("dag_id") or "",
        task_id=row.get("task_id") or "",
        run_id=row.get("run_id") or "",
        try_number=row["try_number"],
        map_index=row["map_index"],
        seconds=row.get("seconds") or 0.0,
        reason=row.get("reason") or "",
        forced=bool(row.get("forced")),
        incomplete=row.get("incomplete") or "",
        complete_when=row.get("complete_when") or "",
        claim_id=row.get(COMMITTED_BY if state is State.COMMITTED else CLAIMED_BY) or "",
        template_hash=row.get("template_hash"),
        merged_from=row.get(MERGED_FROM),
    )


def encode_spec(
    pipeline: str,
    spec_hash: str,
    spec: Mapping[str, Any],
    now: datetime,
    bucket_ids: Mapping[str, str] | None = None,
) -> str:
    """The spec of a pipeline as JSON under its hash; the newest one is the one in force.

    :param bucket_ids: of the spec's buckets, by the spec's key; a record without them counts by their names
    """
    tags = {"pipeline": pipeline, "spec_hash": spec_hash}
    # what is only known of the ledger stays out of the JSON, which is what the user has asked for
    plain = {key: value for key, value in spec.items() if key not in OF_LEDGER}
    fields: dict[str, int | float | str | bool] = {
        "spec": json.dumps(plain, sort_keys=True, ensure_ascii=False),
        "last_used_ns": to_ns(now),
        # empty ones are written too, over those of an earlier run
        "bucket_ids": json.dumps(dict(bucket_ids or {}), sort_keys=True),
        "hashed_as": json.dumps(spec.get("hashed_as")),
    }
    # a fixed time per hash: a rerun overwrites its own record, so the ledger does not grow with reruns
    return encode_line(SPEC_MEASUREMENT, tags, fields, 0)


def encode_spec_commit(pipeline: str, spec_hash: str, now: datetime) -> str:
    """The time at which a spec last wrote windows; it does not decide which spec is in force."""
    tags = {"pipeline": pipeline, "spec_hash": spec_hash}
    return encode_line(SPEC_MEASUREMENT, tags, {"last_commit_ns": to_ns(now)}, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecRecord:
    """A spec of a pipeline, as the ledger has it.

    :param text: JSON; likewise ``bucket_ids`` and ``hashed_as``
    :param last_used_ns: None: the record was deleted while its pipeline was in use, and has a commit and no spec
    """

    pipeline: str
    spec_hash: str
    text: str
    last_used_ns: int | None
    last_commit_ns: int
    bucket_ids: str
    hashed_as: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> SpecRecord:
        """From a row with the fields that the record has."""
        return cls(
            pipeline=row["pipeline"],
            spec_hash=row["spec_hash"],
            text=row.get("spec") or "",
            last_used_ns=row.get("last_used_ns"),
            last_commit_ns=row.get("last_commit_ns") or 0,
            bucket_ids=row.get("bucket_ids") or "{}",
            hashed_as=row.get("hashed_as") or "null",
        )


def buckets_lacking(records: Sequence[SpecRecord], names: BucketNames) -> list[tuple[str, str]]:
    """Name and id of the buckets of records whose id is not known.

    :param names: those that are
    """
    # many records have the same buckets, and are long
    texts = {one.bucket_ids for one in records}
    unknown = {text for text in texts if names.lacking(("", one) for one in json.loads(text).values())}
    found = []
    for one in records:
        if one.bucket_ids in unknown:
            spec, ids = _spec(one), json.loads(one.bucket_ids)
            found += [(spec[key], ids[key]) for key in BUCKET_KEYS if key in spec and key in ids]
    return names.lacking(found)


def last_uses(records: Iterable[SpecRecord]) -> dict[tuple[str, str], datetime]:
    """The time at which each pipeline last used each spec, by name and hash."""
    return {
        (one.pipeline, one.spec_hash): from_ns(max(one.last_used_ns or 0, one.last_commit_ns))
        for one in records
    }


def decode_specs(
    records: Iterable[SpecRecord], names: BucketNames = NO_NAMES
) -> list[tuple[str, str, dict[str, Any]]]:
    """``(pipeline, spec_hash, spec)``, the last used first.

    :param names: what the buckets are called now: so they are called in the specs
    """
    whole = [(one.last_used_ns, one) for one in records if one.last_used_ns is not None]
    newest_first = sorted(whole, key=lambda pair: pair[0], reverse=True)
    return [(one.pipeline, one.spec_hash, _with_present_names(one, names)) for _, one in newest_first]


def _with_present_names(record: SpecRecord, names: BucketNames) -> dict[str, Any]:
    """The spec of a record, with the buckets as they are called now, whose hash stays that of the record."""
    spec = _spec(record)
    ids: Mapping[str, str] = json.loads(record.bucket_ids)
    present = {key: names.present(spec[key], ids.get(key, "")) for key in BUCKET_KEYS if key in spec}
    hashed_as = json.loads(record.hashed_as)
    if any(spec[key] != name for key, name in present.items()) and SOURCE_KEY in spec:
        hashed_as = hashed_as or [spec[key] for key in BUCKET_KEYS]
    if hashed_as:
        # a pipeline's name that was made of the buckets' stays too
        spec |= {"hashed_as": hashed_as, "known_as": record.pipeline}
    return {**spec, **present}


def _spec(record: SpecRecord) -> dict[str, Any]:
    spec = json.loads(record.text)
    if not isinstance(spec, dict):
        what = f"the ledger holds no spec for pipeline {record.pipeline!r}: {record.text[:80]!r}"
        raise ConfigurationError(what, fix="delete the pipeline_spec record and run the pipeline again")
    return spec
