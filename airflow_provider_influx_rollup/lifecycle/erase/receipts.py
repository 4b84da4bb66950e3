"""Receipts of windows that lost rows to an erasure: made right from what the target holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from airflow_provider_influx_rollup.aggregates.selection import Selection
from airflow_provider_influx_rollup.exceptions import BucketNotFound, ConfigurationError
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptsOf
from airflow_provider_influx_rollup.flux.source_read import WindowCounts
from airflow_provider_influx_rollup.ledger.codec import encode_receipts
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.erase.merged_from import ReplacedChecksums, merged_from_now
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks import purged_windows
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import signed
from airflow_provider_influx_rollup.lifecycle.pipeline.claims import Claim, Ownership
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.rollup.frozen import points_by_window
from airflow_provider_influx_rollup.lifecycle.rollup.plan import Plan, job_of, plan_rollup
from airflow_provider_influx_rollup.lifecycle.rollup.verify import own_values
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.reasons import ERASE, RECONCILE
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.lifecycle.source.retention import is_too_old
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.lifecycle.target.rows import TargetRows, WindowTotals, target_rows
from airflow_provider_influx_rollup.lifecycle.target.values_read import read_values
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import FindBucket, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.coverage import runs_of_neighbours
from airflow_provider_influx_rollup.windows.interval import Interval, from_ns

# rows of a target that are read at once
MAX_ROWS = 500_000
MAX_WINDOWS = 1_000
COUNT = "count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restatement:
    """Corrections of receipts.

    :param erase_id: of the erasure
    :param stored: the specs of the ledger, the last used first
    :param info: who erases, for the ledger
    :param now: the clock, aware UTC
    :param replaced: checksums of receipts that were made right
    """

    erase_id: str
    stored: Sequence[StoredSpec]
    info: RunInfo
    now: Clock
    replaced: ReplacedChecksums = field(default_factory=ReplacedChecksums)

    @property
    def reason(self) -> str:
        """Reason that the receipts give."""
        return f"{ERASE}: {self.erase_id}"


def read_receipts_at(rollup: RollupSpec, starts: Sequence[int]) -> Steps[list[Receipt]]:
    """The receipts of windows with these starts.

    :param starts: nanoseconds
    """
    if not starts:
        return []
    span = Interval(from_ns(min(starts)), from_ns(max(starts) + 1000))
    query = ReceiptsOf(rollup.ledger_bucket, rollup.pipeline_name, ROLLUP, span)
    wanted = set(starts)
    return [one for one in (yield from ask(query)) if one.window.start_ns in wanted]


def restate(
    how: Restatement, rollup: RollupSpec, erased: Mapping[int, int], recent: Collection[int] = ()
) -> Steps[None]:
    """Make the receipts of COMMITTED windows right.

    :param erased: starts of windows that lost rows, with the number of source points that these stood for
    :param recent: starts of windows that may have lost rows: a receipt that fits the rows stays as it is
    """
    receipts = yield from read_receipts_at(rollup, [*erased, *recent])
    by_hash: dict[str, list[Receipt]] = {}
    for receipt in receipts:
        if receipt.is_committed:
            by_hash.setdefault(receipt.spec_hash, []).append(receipt)
    for spec_hash, some in by_hash.items():
        spec = _spec_of(how, rollup, spec_hash)
        if spec is not None and (yield from _has_target(spec, rollup)):
            yield from _restate(how, spec, some, erased)


def _has_target(spec: RollupSpec, rollup: RollupSpec) -> Steps[bool]:
    """Whether the target of an earlier spec is there; one that was renamed in a ledger of before is not to be found."""
    if spec.target_bucket == rollup.target_bucket:
        return True
    return (yield from ask(FindBucket(spec.target_bucket))) is not None


def _spec_of(how: Restatement, rollup: RollupSpec, spec_hash: str) -> RollupSpec | None:
    """The spec under which windows were committed."""
    if rollup.spec_hash() == spec_hash:
        return rollup
    for one in how.stored:
        if one.key == (rollup.pipeline_name, spec_hash) and not one.is_script:
            return one.rollup()
    return None


def _restate(
    how: Restatement, spec: RollupSpec, receipts: Sequence[Receipt], erased: Mapping[int, int]
) -> Steps[None]:
    known = {receipt.window: receipt for receipt in receipts}
    windows = tuple(sorted(known))
    try:
        rows_in = yield from _counted(how, spec, windows)
    except (ConfigurationError, BucketNotFound):
        # a pipeline that could not run now, such as one whose source is gone: its rows are gone anyway
        rows_in = {}
    for block in _blocks(windows, known):
        yield from _write(how, spec, [known[window] for window in block], rows_in, erased)


def _counted(how: Restatement, spec: RollupSpec, windows: tuple[Interval, ...]) -> Steps[dict[Interval, int]]:
    """Source points of the windows whose points are all there."""
    plan = yield from plan_rollup(spec, windows, replace(how.info, reason=RECONCILE), dry_run=True)
    purged, now = purged_windows(windows, plan.purged), how.now()
    countable = [one for one in windows if one not in purged and not is_too_old(one, plan.source, now)]
    return (yield from _count(spec, plan, countable))


def _count(spec: RollupSpec, plan: Plan, windows: Sequence[Interval]) -> Steps[dict[Interval, int]]:
    """Source points of each window, over all fields that the pipeline reads."""
    found: dict[Interval, int] = {}
    runs, _ = plan.types.runs_of_one_type(runs_of_neighbours(windows))
    for run in runs:
        for first in range(0, len(run), MAX_WINDOWS):
            job = job_of(spec, run[first : first + MAX_WINDOWS], plan.types.selection_of(run), plan.ownership)
            found |= dict(zip(job.windows, (yield from _count_block(job)), strict=True))
    return found


def _count_block(job: RollupBlock) -> Steps[list[int]]:
    if not job.fields:
        return [0] * len(job.windows)
    return points_by_window(job, (yield from ask(WindowCounts(job.source, job.runs, job.fields))))


def _blocks(windows: Sequence[Interval], known: Mapping[Interval, Receipt]) -> Iterator[list[Interval]]:
    """Windows whose rows are read together."""
    block: list[Interval] = []
    rows = 0
    for window in windows:
        more = known[window].rows_out
        if block and (rows + more > MAX_ROWS or len(block) == MAX_WINDOWS):
            yield block
            block, rows = [], 0
        block.append(window)
        rows += more
    if block:
        yield block


def _write(
    how: Restatement,
    spec: RollupSpec,
    receipts: Sequence[Receipt],
    rows_in: Mapping[Interval, int],
    erased: Mapping[int, int],
) -> Steps[None]:
    """Read the target back, and write what it holds.

    :param rows_in: source points of the windows where they can be counted
    :param erased: by start, the points that erased rows stood for
    """
    windows = tuple(receipt.window for receipt in receipts)
    job = job_of(spec, windows, Selection((), ()), Ownership(Claim.of(spec)))
    rows = target_rows(job, (yield from read_values(own_values(job))))
    lower = yield from merged_from_now(spec, how.stored, receipts, how.replaced)
    now = how.now()
    told = _points_told(spec, rows, windows) or rows_in
    made = [
        replace(
            receipt,
            written_at=now,
            generation=receipt.generation + 1,
            rows_in=told.get(receipt.window, _less(how, receipt, held, erased)),
            rows_out=held.rows_out,
            series=held.series,
            checksum=held.checksum,
            merged_from=merged_from,
        )
        for receipt, held, merged_from in zip(receipts, rows.totals(job), lower, strict=True)
    ]
    run = replace(how.info, reason=how.reason)
    todo = [
        (one, before)
        for one, before in zip(made, receipts, strict=True)
        if not _is_restated(one, before, how)
        and (one.window.start_ns in erased or not _holds_the_same(one, before))
    ]
    if todo:
        yield from ask(Write(spec.ledger_bucket, encode_receipts(signed(one, run) for one, _ in todo)))
    for one, before in todo:
        how.replaced.note(before, one)


def _points_told(
    spec: RollupSpec, rows: TargetRows, windows: Sequence[Interval]
) -> dict[Interval, int] | None:
    """The source points that the rows of windows stand for; None where they do not tell that.

    The source may have points by now that came after the windows were committed.
    """
    rules = spec.aggregates.values() if isinstance(spec.aggregates, Mapping) else [spec.aggregates]
    if spec.source_tier is not None or spec.grid.grid().is_sliding or not all(COUNT in one for one in rules):
        return None
    points = dict.fromkeys(windows, 0)
    for name, column in rows.columns.items():
        if name.endswith(f"_{COUNT}"):
            if column.values.dtype.kind not in "iu":
                return None
            for number, value in zip(column.window.tolist(), column.values.tolist(), strict=True):
                points[windows[number]] += int(value)
    return points


def _less(how: Restatement, receipt: Receipt, held: WindowTotals, erased: Mapping[int, int]) -> int:
    """The source points of a receipt without those of erased rows, unless it does not count them."""
    # a run has committed it, or an earlier try restated it, since the rows were seen
    is_new = (held.rows_out, held.checksum) == (receipt.rows_out, receipt.checksum)
    lost = 0 if is_new or receipt.reason == how.reason else erased.get(receipt.window.start_ns, 0)
    return max(0, receipt.rows_in - lost)


def _is_restated(made: Receipt, before: Receipt, how: Restatement) -> bool:
    """Whether an earlier try has written the same."""
    same = replace(made, written_at=before.written_at, generation=before.generation)
    return before.reason == how.reason and same == before


def _holds_the_same(made: Receipt, before: Receipt) -> bool:
    return (made.rows_out, made.series, made.checksum) == (before.rows_out, before.series, before.checksum)
