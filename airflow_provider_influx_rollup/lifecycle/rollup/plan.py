"""Find out what a rollup has to do, and refuse what must not be done, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.aggregates.hierarchy import TierRules
from airflow_provider_influx_rollup.aggregates.selection import AggregateRules, Column, Selection
from airflow_provider_influx_rollup.exceptions import WindowFrozen
from airflow_provider_influx_rollup.flux.bucket_ids import BucketsNow
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptsOf, StoredSpecs
from airflow_provider_influx_rollup.flux.purges import OverlappingMarks
from airflow_provider_influx_rollup.flux.query import together
from airflow_provider_influx_rollup.flux.source_read import FieldTotals, FieldTypes
from airflow_provider_influx_rollup.flux.source_schema import TagKeys
from airflow_provider_influx_rollup.ledger.bucket_names import BucketNames
from airflow_provider_influx_rollup.ledger.codec import NO_NAMES, SpecRecord, last_uses
from airflow_provider_influx_rollup.ledger.purges import PurgeMark
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.ledger.bucket import require_ledger_kept
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import Marks, read_marks
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.pipeline.claims import Claim, Ownership
from airflow_provider_influx_rollup.lifecycle.pipeline.conflicts import (
    claims_of_others,
    earlier_specs,
    require_no_clash,
    require_one_task,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.identity import as_known, with_own_hash
from airflow_provider_influx_rollup.lifecycle.pipeline.near_records import stored_near
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.tier_below import column_rules
from airflow_provider_influx_rollup.lifecycle.rollup.chains import rollup_scripts
from airflow_provider_influx_rollup.lifecycle.rollup.other_buckets import require_no_fewer, windows_of_others
from airflow_provider_influx_rollup.lifecycle.rollup.tier_compute import tier_scripts
from airflow_provider_influx_rollup.lifecycle.rollup.tier_waiting import WaitingWindows, waiting_below
from airflow_provider_influx_rollup.lifecycle.run.margins import WORKER_CLOCKS_DIFFER
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.lifecycle.source.buckets import FIX_TARGET, existing
from airflow_provider_influx_rollup.lifecycle.source.fields import unknown_fields
from airflow_provider_influx_rollup.lifecycle.source.group_keys import unknown_group_keys
from airflow_provider_influx_rollup.lifecycle.source.type_parts import TypeParts
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.lifecycle.target.names import require_readable, require_writable
from airflow_provider_influx_rollup.shown import counted
from airflow_provider_influx_rollup.step import Step
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import (
    Bucket,
    CheckWritable,
    EnsureBucket,
    FindBucket,
    Gather,
    Report,
)
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval
from airflow_provider_influx_rollup.windows.runs import cut_blocks
from airflow_provider_influx_rollup.windows.shards import shard_parts

MAX_PARTS_PER_QUERY = 100


@dataclass(frozen=True, slots=True)
class LedgerRecords:
    """Records of the ledger about the windows, the pipelines and purges.

    :param marks: starts of the windows of marks that overlap what is read
    """

    receipts: list[Receipt] = field(default_factory=list)
    specs: list[SpecRecord] = field(default_factory=list)
    buckets: BucketNames = NO_NAMES
    marks: list[datetime] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Plan of a rollup.

    :param types: the columns of each part of the interval that a field's type may change at
    :param totals: source points of each field over all windows, counted before anything is written
    :param others: what other pipelines write to the same measurement
    :param waiting: windows that cannot start before the tier below is COMMITTED
    :param purged: where the source lacks points because they were purged
    :param spec: as the ledger knows it
    :param poorer: windows that were made of another bucket, of more points than the source has
    :param tag_keys: of the source, as the server lists them
    :param rewritten: what the earlier specs take that the windows have rows of
    """

    windows: tuple[Interval, ...]
    types: TypeParts
    book: ReceiptBook
    ownership: Ownership
    source: Bucket
    target: Bucket
    totals: Mapping[str, int]
    others: tuple[Claim, ...]
    waiting: WaitingWindows
    purged: tuple[PurgeMark, ...]
    spec: RollupSpec
    poorer: Mapping[Interval, WindowFrozen]
    tag_keys: Sequence[str]
    rewritten: tuple[AggregateRules, ...]

    @property
    def selection(self) -> Selection:
        """The columns of all windows.

        :raises AggregateTypeMismatch: when a field changes its type between two of them
        """
        return self.types.selection_of(self.windows)

    def job(self, windows: tuple[Interval, ...]) -> RollupBlock:
        """The block of some windows, in which no field changes its type."""
        job = job_of(self.spec, windows, self.types.selection_of(windows), self.ownership)
        rules = self.types.rules
        return replace(job, found_below=rules.tier_below) if isinstance(rules, TierRules) else job

    def new_columns(self, job: RollupBlock) -> Steps[frozenset[str]]:
        """Names of the columns that a block would have by now, and does not have: their points came after the plan."""
        parts = _parts_of(job, self.source)
        typed = yield from ask(Gather(tuple(_reads_of_types(job, parts))))
        types = TypeParts.of(self.types.rules, list(zip(parts, typed, strict=True)))
        return frozenset(column.name for column in types.columns()) - {column.name for column in job.columns}


def plan_rollup(
    spec: RollupSpec,
    windows: tuple[Interval, ...],
    run: RunInfo,
    *,
    dry_run: bool = False,
    only_reads: bool = False,
) -> Steps[Plan]:
    """Look at the buckets, the ledger and the source.

    :param windows: in ascending order
    :param dry_run: do not create the ledger's bucket
    :param only_reads: do not ask whether the target may be written, so that a token that only reads is enough
    :raises BucketNotFound: when the source or the target is missing or may not be read
    :raises ConfigurationError: when another pipeline or task writes the same columns, or the ledger would forget
    :raises AggregateTypeMismatch: when a field cannot have its aggregate
    """
    source, target, ledger = yield from _find_buckets(spec, windows[0], dry_run=dry_run)
    require_ledger_kept(ledger, windows[0])
    job = job_of(spec, windows, Selection((), ()), Ownership(Claim.of(spec)))
    parts = _parts_of(job, source)
    is_tier = spec.source_tier is not None
    totals, listed, ledgers, typed = yield from _look(
        job, () if is_tier else parts, ledger, only_reads=only_reads
    )
    require_readable(spec, listed)
    marks = yield from read_marks(
        spec.ledger_bucket, spec.source_bucket, spec.measurement, job.read_interval, ledgers.marks
    )
    stored = yield from stored_near(ledgers.specs, ledgers.buckets, spec, (source, target))
    asked, spec = spec, with_own_hash(as_known(spec, stored), stored, source, target)
    if spec.pipeline_name != asked.pipeline_name and ledger is not None:
        ledgers = replace(ledgers, receipts=(yield from ask(_receipts_of(spec, job))))
    require_no_clash(spec, stored)
    below, waiting = yield from waiting_below(spec, windows, stored)
    if is_tier or not totals or totals.keys() != _names(typed):
        # not to leave out what came right before: a commit of the tier below, or a restore that has lifted its mark
        totals, *typed = yield from ask(Gather(_reads_of_points(job, parts)))
    rules = column_rules(spec, below)
    types = TypeParts.of(rules, list(zip(parts, typed, strict=True)))
    require_writable(spec, types.columns(), set(listed))
    receipts = {receipt.window: receipt for receipt in ledgers.receipts}
    require_one_task(spec, run, receipts.values())
    claims = claims_of_others(spec, stored)
    return Plan(
        windows=windows,
        types=types,
        book=_book_of(spec, run, receipts),
        ownership=_ownership(spec, stored, last_uses(ledgers.specs), claims, receipts.values()),
        source=source,
        target=target,
        totals=totals,
        others=tuple(claims.values()),
        waiting=waiting,
        purged=marks.own,
        spec=spec,
        poorer=(yield from _poorer_windows(spec, rules, stored, receipts.values(), marks)),
        tag_keys=listed,
        rewritten=_rewritten(spec, stored, receipts.values()),
    )


def _book_of(spec: RollupSpec, run: RunInfo, receipts: Mapping[Interval, Receipt]) -> ReceiptBook:
    return ReceiptBook(
        ledger_bucket=spec.ledger_bucket,
        pipeline=spec.pipeline_name,
        stage=ROLLUP,
        spec_hash=spec.spec_hash(),
        run=run,
        previous=receipts,
    )


def _look(
    job: RollupBlock, parts: Sequence[Sequence[Interval]], ledger: Bucket | None, *, only_reads: bool
) -> Steps[tuple[dict[str, int], list[str], LedgerRecords, list[list[Frame]]]]:
    """Totals of the source, its tag keys, the ledger's records, and points of each part that have the types of its fields.

    :param parts: none leaves the points for later
    """
    checks = () if only_reads else (CheckWritable(job.spec.target_bucket),)
    keys = TagKeys(job.source, job.read_interval)
    # one request less: both answers are small
    schema = together(FieldTotals(job.source, job.read_interval), keys) if parts else keys
    records: list[Step[Any]] = []
    if ledger is not None:
        spec = job.spec
        marks = OverlappingMarks(spec.ledger_bucket, spec.measurement, job.read_interval)
        specs = StoredSpecs(spec.ledger_bucket)
        records.append(together(_receipts_of(spec, job), specs, BucketsNow(), marks))
    typed = _reads_of_types(job, parts)
    answers = yield from ask(Gather((*checks, schema, *records, *typed)))
    rest = iter(answers[len(checks) :])
    totals, tags = next(rest) if parts else ({}, next(rest))
    known = LedgerRecords(*next(rest)) if records else LedgerRecords()
    return totals, tags, known, list(rest)


def _reads_of_points(job: RollupBlock, parts: Sequence[Sequence[Interval]]) -> tuple[Step[Any], ...]:
    """Totals of the source, and points of each part that have the types of its fields."""
    return FieldTotals(job.source, job.read_interval), *_reads_of_types(job, parts)


def _reads_of_types(job: RollupBlock, parts: Sequence[Sequence[Interval]]) -> list[FieldTypes]:
    return [FieldTypes(job.source, some) for some in parts]


def _parts_of(job: RollupBlock, source: Bucket) -> list[tuple[Interval, ...]]:
    """The parts of what a block reads in which a field has one type, by query."""
    return cut_blocks(shard_parts(job.read_interval, source.shard_group_seconds), MAX_PARTS_PER_QUERY)


def _names(typed: Iterable[Iterable[Frame]]) -> set[str]:
    """The fields that have points."""
    return {name for frames in typed for frame in frames for name in frame.fields}


def _poorer_windows(
    spec: RollupSpec,
    rules: AggregateRules | TierRules,
    stored: Sequence[StoredSpec],
    receipts: Iterable[Receipt],
    marks: Marks,
) -> Steps[Mapping[Interval, WindowFrozen]]:
    read = {
        str(one.values["source_bucket"])
        for one in stored
        if one.pipeline == spec.pipeline_name and not one.is_script
    }
    others = windows_of_others(spec, stored, receipts, marks.once_read(spec.pipeline_name, read))
    return (yield from require_no_fewer(spec, rules, others))


def _receipts_of(spec: RollupSpec, job: RollupBlock) -> ReceiptsOf:
    return ReceiptsOf(spec.ledger_bucket, spec.pipeline_name, ROLLUP, job.target_interval)


def _find_buckets(
    spec: RollupSpec, first: Interval, *, dry_run: bool
) -> Steps[tuple[Bucket, Bucket, Bucket | None]]:
    ledger_step = FindBucket(spec.ledger_bucket) if dry_run else EnsureBucket(spec.ledger_bucket)
    buckets = (FindBucket(spec.source_bucket), FindBucket(spec.target_bucket), ledger_step)
    source, target, ledger = yield from ask(Gather(buckets))
    return (
        existing(source, spec.source_bucket, first, role="source"),
        existing(target, spec.target_bucket, first, role="target", fix=FIX_TARGET),
        ledger,
    )


def _ownership(
    spec: RollupSpec,
    stored: Sequence[StoredSpec],
    uses: Mapping[tuple[str, str], datetime],
    others: Mapping[str, Claim],
    previous: Iterable[Receipt],
) -> Ownership:
    """Windows that an earlier spec wrote, or may have, hold rows that only the earlier spec explains.

    :param uses: when specs were last used, by pipeline and hash; a run under an earlier one may have written what a run
        under this one, at the same time, had looked at already
    """
    mine, neighbours = Claim.of(spec), tuple(sorted(others))
    spec_hash, earlier = spec.spec_hash(), earlier_specs(spec, stored)
    known = ((one.pipeline_name, one.spec_hash()) for one in earlier)
    used_at = max((uses[key] for key in known if key in uses), default=None)
    if all(
        receipt.is_committed and receipt.spec_hash == spec_hash and not _overlapped(receipt, used_at)
        for receipt in previous
    ):
        return Ownership(mine, neighbours=neighbours)
    return Ownership(mine, tuple(Claim.of(other) for other in earlier), tuple(others.values()), neighbours)


def _rewritten(
    spec: RollupSpec, stored: Sequence[StoredSpec], previous: Iterable[Receipt]
) -> tuple[AggregateRules, ...]:
    """The rules of the earlier specs under which windows were committed that have rows."""
    hashes = {receipt.spec_hash for receipt in previous if receipt.is_committed and receipt.rows_out}
    return tuple(one.rules() for one in earlier_specs(spec, stored) if one.spec_hash() in hashes)


def _overlapped(receipt: Receipt, used_at: datetime | None) -> bool:
    """Whether another spec was used after the run began that committed a window."""
    if used_at is None:
        return False
    began = receipt.written_at - timedelta(seconds=receipt.seconds)
    return used_at > began - WORKER_CLOCKS_DIFFER


def job_of(
    spec: RollupSpec, windows: tuple[Interval, ...], selection: Selection, ownership: Ownership
) -> RollupBlock:
    """The block of these windows; for sliding windows it reads the cells that they are made of."""
    grid = spec.grid.grid()
    if not grid.is_sliding:
        return RollupBlock(
            spec=spec, windows=windows, cells=windows, columns=selection.columns, ownership=ownership
        )
    # a sliding window belongs to the cell it stops in, so the interval starts with the first window's last cell
    last_cells = Interval(grid.floor(windows[0].stop - MICROSECOND), windows[-1].stop)
    return RollupBlock(
        spec=spec,
        windows=windows,
        cells=tuple(grid.cells(last_cells)),
        columns=selection.columns,
        ownership=ownership,
    )


def tell_plan(
    spec: RollupSpec, interval: Interval, plan: Plan, selections: Sequence[Selection]
) -> Steps[list[str]]:
    """Say what is going to be done, and return what people should note.

    :param selections: the columns of each part of the windows
    """
    notes: list[str] = []
    columns: set[Column] = {column for selection in selections for column in selection.columns}
    skipped = sorted({text for selection in selections for text in selection.skipped})
    done = plan.book.committed_before(plan.windows)
    yield from ask(
        Report(
            f"Pipeline {spec.pipeline_name}: {len(plan.windows)} windows of {interval}, "
            f"{done} committed before, {len({column.name for column in columns})} columns"
        )
    )
    # without a part no window is left to do, and columns are of those to do
    if selections and not columns:
        notes.append(
            f"no points of measurement {spec.measurement!r} that match in bucket {spec.source_bucket!r} in {interval}"
        )
    if skipped:
        notes.append(f"left out, the type does not fit: {'; '.join(skipped)}")
    changed = {r.spec_hash for r in plan.book.previous.values()} - {spec.spec_hash()}
    if changed:
        notes.append(
            f"some windows are of {counted(len(changed), 'earlier version')} of the spec: they are computed again"
        )
    if plan.totals:
        told = unknown_group_keys(spec, plan.tag_keys, interval)
        notes += [told] if told else []
    # the fields of any time are asked for only when the interval lacks some
    if spec.source_tier is None and spec.rules().unmatched(plan.totals):
        told = yield from unknown_fields(spec, plan.rewritten, interval)
        notes += [told] if told else []
    for note in notes:
        yield from ask(Report(note, level="warning"))
    return notes


def tell_scripts(job: RollupBlock) -> Steps[None]:
    """Say what a run would send and compute."""
    if job.spec.source_tier is not None:
        for script in tier_scripts(job):
            yield from ask(Report(f"Dry run, would send:\n{script.flux()}"))
        return
    in_influx, from_raw, from_parts = job.fields_by_way()
    for script in rollup_scripts(job, in_influx, is_written=job.spec.compute == "server"):
        yield from ask(Report(f"Dry run, would send:\n{script.flux()}"))
    for way, fields in (("raw points", from_raw), ("partial aggregates", from_parts)):
        if fields:
            yield from ask(Report(f"Dry run, would compute {', '.join(fields)} in the worker from {way}"))
