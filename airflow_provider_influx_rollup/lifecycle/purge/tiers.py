"""Whether the pipelines that a purge requires hold all that is to be made of a window's points."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.ledger_read import WritingReceipts
from airflow_provider_influx_rollup.hashing import combine_checksums
from airflow_provider_influx_rollup.ledger.purges import PurgeMark
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.ledger.history import receipts_of
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import overlapping_marks
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import (
    children_of,
    find_pipeline,
    load_stored,
    rollups_in_force,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.purge.purge_run import PurgeRun
from airflow_provider_influx_rollup.lifecycle.purge.spec import PurgeSpec, refused
from airflow_provider_influx_rollup.lifecycle.reconcile.reconcile_run import ReconcileRun
from airflow_provider_influx_rollup.lifecycle.reconcile.result import ReconcileResult
from airflow_provider_influx_rollup.lifecycle.reconcile.spec import PLAN, ReconcileOptions
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile_windows
from airflow_provider_influx_rollup.lifecycle.run.margins import BUSY_FOR
from airflow_provider_influx_rollup.lifecycle.run.reasons import ERASE
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval, from_ns
from airflow_provider_influx_rollup.windows.lateness import is_due

MAX_NAMED = 3


@dataclass(frozen=True, slots=True)
class ProvenArchive:
    """The archive of a window, which the bucket equals.

    :param unchanged_since: from when on its points have been as they are
    """

    generation: int
    unchanged_since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TierProof:
    """Rows that a pipeline made of a window's points.

    :param interval: of its windows that cover the points
    :param generation: the highest of them
    :param checksum: of all their rows
    :param compared: whether they were computed again from the source and compared; otherwise they are known to be right
        since before an earlier purge of a part of them
    """

    pipeline: str
    spec_hash: str
    interval: Mapping[str, str]
    windows: int
    generation: int
    rows_out: int
    checksum: str
    compared: bool

    def as_json(self) -> dict[str, Any]:
        """Plain values, for a certificate."""
        return asdict(self)


def prove_tiers(run: PurgeRun, window: Interval, archived: ProvenArchive) -> Steps[list[TierProof]]:
    """Make sure that each pipeline is COMMITTED and right for all windows that cover the points.

    :param archived: the newest generation, which the bucket equals
    :raises PurgeRefused: naming what is missing
    """
    spec = run.spec
    readers = _readers(spec, rollups_in_force(run.stored))
    proofs = []
    for name in spec.require_pipelines:
        rollup = _find(run, name, window)
        if rollup.pipeline_name not in readers:
            what = f"pipeline {name!r} does not read {spec.archive.bucket}/{spec.archive.measurement}, nor a tier made of it"
            raise refused(
                what, window, "name the pipelines that do: " + (", ".join(readers) or "there is none")
            )
        proofs.append((yield from _prove_tier(run, rollup, window, archived)))
    others = sorted(set(readers) - {proof.pipeline for proof in proofs})
    if others:
        yield from ask(
            Report(
                f"Window {window}: not required, though they read these points: {', '.join(others)}",
                "warning",
            )
        )
    return proofs


def require_unchanged(run: PurgeRun, window: Interval, proofs: Iterable[TierProof]) -> Steps[None]:
    """Refuse when a run has begun to write windows that are made of the points, since they were proven.

    The window is marked by now: a run that begins later sees that and writes nothing.

    :raises PurgeRefused: naming the pipeline
    """
    now = run.now()
    known = {proof.pipeline: proof for proof in proofs}
    pipelines = yield from _pipelines_with(run, window, known)
    readers = _readers(run.spec, pipelines)
    for name in sorted({*known, *(name for name, is_direct in readers.items() if is_direct)}):
        rollup = pipelines[name]
        if name not in known:
            yield from _require_no_run(rollup, window, now)
            continue
        windows = covering_windows(rollup, window)
        receipts = yield from receipts_of(rollup.ledger_bucket, rollup.pipeline_name, windows)
        is_same = _proof_of(rollup, windows, receipts, compared=known[name].compared) == known[name]
        if not is_same and not _is_erasure(receipts.values()):
            what = f"a run of pipeline {name!r} has written windows of these points while the purge began"
            raise refused(what, window, "run it again when that run has ended")


def _pipelines_with(run: PurgeRun, window: Interval, names: Collection[str]) -> Steps[dict[str, RollupSpec]]:
    """The pipelines that the ledger knows, all those among them that a purge has proven.

    Of a purge that another run began, one may have run for the first time after this run had asked the ledger.

    :raises PurgeRefused: when the ledger does not know one
    """
    pipelines = rollups_in_force(run.stored)
    if not set(names) <= pipelines.keys():
        pipelines = rollups_in_force((yield from load_stored(run.spec.archive.ledger_bucket)))
    for name in sorted(set(names) - pipelines.keys()):
        what = f"pipeline {name!r}, which a run had compared before it began to purge the window, is not in the ledger any more"
        raise refused(
            what, window, f"run pipeline {name!r} once, so that the ledger knows it, then purge again"
        )
    return pipelines


def _require_no_run(rollup: RollupSpec, window: Interval, now: datetime) -> Steps[None]:
    """Refuse while a run of a pipeline that is not required may have read a part of the points.

    However long it takes, it looks at the marks again before it writes; so one that hangs is not waited for. The windows
    are not listed: there may be millions of them.
    """
    grid, reach = rollup.grid.grid(), _reach(rollup, window)
    # a sliding window begins before the cell that it is found by
    first = grid.windows(Interval(reach.start, grid.window_at(reach.start).stop))[0]
    starts = Interval(first.start, reach.stop)
    query = WritingReceipts(rollup.ledger_bucket, rollup.pipeline_name, ROLLUP, starts)
    for one in (yield from ask(query)):
        if one.window.overlaps(window) and now - from_ns(one.written_at_ns) < BUSY_FOR:
            what = f"run {one.run_id!r} of pipeline {rollup.pipeline_name!r} is writing {one.window}"
            raise refused(what, window, "run it again when that run has ended")


def _is_erasure(receipts: Collection[Receipt]) -> bool:
    """Whether series were erased since, and nothing else has happened: marks stop rollups, but no erasure."""
    erased = [one for one in receipts if one.reason.startswith(f"{ERASE}:")]
    first = min((one.written_at for one in erased), default=None)
    return first is not None and all(one in erased or one.written_at < first for one in receipts)


def covering_windows(rollup: RollupSpec, window: Interval) -> tuple[Interval, ...]:
    """All windows of a pipeline that have points of an interval."""
    return tuple(rollup.grid.grid().windows(_reach(rollup, window)))


def _reach(rollup: RollupSpec, window: Interval) -> Interval:
    """From the start of the first window that has points of an interval to the stop of the last one."""
    grid = rollup.grid.grid()
    start, stop = grid.floor(window.start), grid.ceil(window.stop)
    for _ in range(grid.cells_per_window - 1):
        stop = grid.window_at(stop).stop
    return Interval(start, stop)


def _prove_tier(
    run: PurgeRun, rollup: RollupSpec, window: Interval, archived: ProvenArchive
) -> Steps[TierProof]:
    windows = covering_windows(rollup, window)
    receipts = yield from receipts_of(rollup.ledger_bucket, rollup.pipeline_name, windows)
    _require_committed(rollup, windows, receipts, window, run.now())
    span = Interval.spanning(windows)
    marks = yield from overlapping_marks(rollup.ledger_bucket, rollup.source_bucket, rollup.measurement, span)
    marked = [one for one in windows if any(mark.window.overlaps(one) for mark in marks)]
    _require_known(rollup, marks, marked, window, archived)
    compared = [one for one in windows if one not in marked]
    if compared:
        comparing = ReconcileRun(
            spec=rollup, info=run.info, now=run.now, stored=run.stored, options=ReconcileOptions(PLAN)
        )
        result = yield from reconcile_windows(comparing, compared)
        _require_clean(rollup, result, window)
    return _proof_of(rollup, windows, receipts, compared=not marked)


def _require_committed(
    rollup: RollupSpec,
    windows: Sequence[Interval],
    receipts: Mapping[Interval, Receipt],
    window: Interval,
    now: datetime,
) -> None:
    lacking = {one: why for one in windows if (why := _lack(rollup, one, receipts.get(one), now))}
    if lacking:
        named = few([f"{one}: {why}" for one, why in lacking.items()], MAX_NAMED, between=", ")
        what = f"{len(lacking)} windows of pipeline {rollup.pipeline_name!r} are not done: {named}"
        raise refused(what, window, "run the pipeline over these windows, or reconcile it, then purge again")


def _lack(rollup: RollupSpec, window: Interval, receipt: Receipt | None, now: datetime) -> str:
    if not is_due(window, Duration.of(rollup.lateness, allow_zero=True), now):
        return "its stop + lateness has not passed"
    if receipt is None:
        return "no receipt"
    if not receipt.is_committed:
        return receipt.state.value
    if receipt.spec_hash != rollup.spec_hash():
        return "COMMITTED under an older spec"
    return f"incomplete: {receipt.incomplete}" if receipt.incomplete else ""


def _require_known(
    rollup: RollupSpec,
    marks: Sequence[PurgeMark],
    marked: Sequence[Interval],
    window: Interval,
    archived: ProvenArchive,
) -> None:
    """Windows of which an earlier purge has taken a part cannot be compared any more.

    They were, before the first of these purges, and nothing could write them since. So they hold these points when
    the points had been there by then.
    """
    name = rollup.pipeline_name
    for mark in marks:
        if not any(mark.window.overlaps(one) for one in marked):
            continue
        is_same = mark.compared_at >= archived.unchanged_since
        if mark.window == window:
            is_same = mark.generation == archived.generation
        if name not in mark.pipelines or not is_same:
            what = (
                f"whether pipeline {name!r} holds these points cannot be told: {mark.text()}, and points came after that, "
                "or the pipeline was not required then"
            )
            fix = f"restore {mark.window}, reconcile the pipeline, archive, and purge again"
            raise refused(what, window, fix)


def _require_clean(rollup: RollupSpec, result: ReconcileResult, window: Interval) -> None:
    # rows that are right are what the purge asks for, whatever numbers their receipt has
    wrong = [change for change in result.dirty if not change.is_of_receipt]
    found = [f"{change.window}: {', '.join(reason.value for reason in change.reasons)}" for change in wrong]
    found += [f"{left.window}: {left.why}" for left in (*result.waiting, *result.frozen, *result.incomplete)]
    found += [f"{one}: {error.what}" for one, error in result.failed.items()]
    if not found:
        return
    what = f"pipeline {rollup.pipeline_name!r} does not hold what its source gives: {few(found, MAX_NAMED)}"
    raise refused(what, window, f"reconcile pipeline {rollup.pipeline_name!r}, then purge again")


def _proof_of(
    rollup: RollupSpec, windows: Sequence[Interval], receipts: Mapping[Interval, Receipt], *, compared: bool
) -> TierProof:
    found = [receipts[one] for one in windows if one in receipts and receipts[one].is_committed]
    return TierProof(
        pipeline=rollup.pipeline_name,
        spec_hash=rollup.spec_hash(),
        interval=Interval.spanning(windows).as_json(),
        windows=len(found),
        generation=max((receipt.generation for receipt in found), default=0),
        rows_out=sum(receipt.rows_out for receipt in found),
        checksum=combine_checksums(receipt.checksum for receipt in found),
        compared=compared,
    )


def _find(run: PurgeRun, name: str, window: Interval) -> RollupSpec:
    try:
        return find_pipeline(name, run.spec.archive.ledger_bucket, run.stored)
    except ConfigurationError as error:
        raise refused(error.what, window, error.fix or "name another pipeline") from None


def _readers(spec: PurgeSpec, pipelines: Mapping[str, RollupSpec]) -> dict[str, bool]:
    """The pipelines that read the measurement (True), and all tiers made of theirs (False)."""
    place = (spec.archive.bucket, spec.archive.measurement)
    found = {
        name: True
        for name, rollup in sorted(pipelines.items())
        if (rollup.source_bucket, rollup.measurement) == place
    }
    waiting = list(found)
    while waiting:
        for child in children_of(pipelines[waiting.pop()], pipelines):
            if child.pipeline_name not in found:
                found[child.pipeline_name] = False
                waiting.append(child.pipeline_name)
    return found
