"""Roll windows up with a user's own Flux script: gate, run, read back, commit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from airflow_provider_influx_rollup.exceptions import (
    ConfigurationError,
    InfluxRollupError,
    WindowFrozen,
)
from airflow_provider_influx_rollup.flux.extern import extern_file, window_values
from airflow_provider_influx_rollup.flux.names import validate_name
from airflow_provider_influx_rollup.flux.results import ScriptResults
from airflow_provider_influx_rollup.flux.script import ScriptFacts
from airflow_provider_influx_rollup.ledger.codec import encode_receipts, encode_spec
from airflow_provider_influx_rollup.ledger.default_bucket import DEFAULT_LEDGER_BUCKET
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.ledger.bucket import require_ledger_kept
from airflow_provider_influx_rollup.lifecycle.ledger.history import receipts_of
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.lifecycle.rollup.blocks import done_by_this_run
from airflow_provider_influx_rollup.lifecycle.rollup_script.gate import OnRawRead, own_target, plan_gate
from airflow_provider_influx_rollup.lifecycle.rollup_script.last_look import last_look, require_not_purged
from airflow_provider_influx_rollup.lifecycle.rollup_script.notes import (
    cut_notes,
    shared_name_notes,
    unread_notes,
)
from airflow_provider_influx_rollup.lifecycle.rollup_script.read_back import read_back
from airflow_provider_influx_rollup.lifecycle.rollup_script.reads import ScriptReads
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock, wait_until_due
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.rerun_advice import script_advice
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.stage_result import StageResult
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.lifecycle.run.window_errors import failures_as_one, is_of_windows
from airflow_provider_influx_rollup.lifecycle.source.buckets import FIX_TARGET, existing
from airflow_provider_influx_rollup.steps.ask import ask, gather
from airflow_provider_influx_rollup.steps.current_window import within
from airflow_provider_influx_rollup.steps.influx import (
    Bucket,
    CheckWritable,
    EnsureBucket,
    FindBucket,
    Progressed,
    Query,
    Report,
    Write,
)
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval

MAX_FAILED = 200
DEFAULT_OPTIONS = RollupOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptSpec:
    """One rollup by a user's own script.

    :param script: Flux text, after Jinja
    :param name: short name for the pipeline when the script's ``option task`` has none
    :param params: values of ``params.<name>``; None binds none
    :param grid: the windows; None takes ``every`` of the script's ``option task``, else the whole interval
    :param lateness: None takes ``offset`` of the script's ``option task``
    :param template_hash: of the template that the script was made of, with what it includes
    :param on_raw_read: what a plan that reads raw points does: ``"fail"``, ``"warn"`` or ``"allow"``
    """

    script: str
    target_bucket: str
    name: str | None = None
    params: Mapping[str, Any] | None = None
    grid: GridSpec | None = None
    lateness: str | None = None
    on_raw_read: OnRawRead = "warn"
    pipeline: str | None = None
    ledger_bucket: str = DEFAULT_LEDGER_BUCKET
    template_hash: str | None = None

    def __post_init__(self) -> None:
        for bucket in (self.target_bucket, self.ledger_bucket):
            validate_name("bucket", bucket)
        if self.on_raw_read not in ("fail", "warn", "allow"):
            what = f"on_raw_read={self.on_raw_read!r} is not possible"
            raise ConfigurationError(what, written="nothing", fix="use fail, warn or allow")
        if self.grid is not None and self.grid.grid().is_sliding:
            what = "a script decides its own periods: period= is not possible with flux="
            raise ConfigurationError(what, written="nothing", fix="leave period out")

    def spec_hash(self) -> str:
        """Hash of the script and what is bound into it."""
        decides = json.dumps([self.script, self.params, self.target_bucket], sort_keys=True, default=str)
        return hashlib.sha256(decides.encode()).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """Plain values, for the ledger; without a template as they were before there were templates."""
        values = asdict(self)
        if self.template_hash is None:
            del values["template_hash"]
        return values


@dataclass(frozen=True, slots=True)
class ScriptRun:
    """Context shared by all parts of a rollup by script.

    :param info: who runs it, for the ledger
    :param now: the clock, aware UTC
    :param options: what an error of one window does
    """

    spec: ScriptSpec
    info: RunInfo
    now: Clock
    options: RollupOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptPlan:
    """A script's windows, and how it is known in the ledger.

    :param target: as it is called in the spec, and its id
    :param reads: what it reads
    :param results: which of its results are the rows that it writes
    """

    run: ScriptRun
    windows: tuple[Interval, ...]
    book: ReceiptBook
    period: Duration | None
    target: Bucket
    reads: ScriptReads
    results: ScriptResults
    notes: tuple[str, ...]


def roll_up_by_script(
    spec: ScriptSpec,
    interval: Interval,
    run: RunInfo,
    now: Clock,
    *,
    options: RollupOptions = DEFAULT_OPTIONS,
    dry_run: bool = False,
) -> Steps[StageResult]:
    """Run a user's script for every window of an interval.

    ``v.timeRangeStart``, ``v.timeRangeStop`` and ``now()`` are the window's; nothing is pasted into the text.

    :param interval: must be tiled exactly by the grid
    :param now: the clock, aware UTC
    :param dry_run: plan the script and report, run nothing
    :param options: what an error of one window does; a script neither heals nor forces
    :raises ScriptError: when the script cannot run, before it reads anything
    :raises WindowFrozen: when points of a window that the script reads were purged
    :raises ScriptInvalid: when it has computed a value that ``to()`` leaves out
    :raises PartialWrite: when the target does not hold what the script wrote
    :raises WindowsFailed: when some windows failed and the others are COMMITTED
    """
    began = now()
    plan = yield from _plan(ScriptRun(spec, run, now, options), interval, dry_run=dry_run)
    book = plan.book
    if dry_run:
        planned = [book.receipt(window, State.PLANNED, now()) for window in plan.windows]
        return StageResult(
            pipeline=book.pipeline,
            interval=interval,
            receipts=planned,
            seconds=(now() - began).total_seconds(),
            notes=plan.notes,
        )
    stored = spec.as_json() | {"params": json.loads(json.dumps(spec.params, default=str))}
    ids = {"target_bucket": plan.target.id}
    lines = [encode_spec(book.pipeline, book.spec_hash, stored, now(), ids)]
    lines += book.lines(book.unknown(plan.windows), State.PLANNED, now())
    yield from ask(Write(spec.ledger_bucket, lines))
    committed, reads = yield from _commit_all(plan)
    told_late = reads.told[len(plan.reads.told) :]
    return StageResult(
        pipeline=book.pipeline,
        interval=interval,
        receipts=committed,
        seconds=(now() - began).total_seconds(),
        notes=(*plan.notes, *(one.note for one in told_late)),
    )


def _commit_all(plan: ScriptPlan) -> Steps[tuple[list[Receipt], ScriptReads]]:
    """One window after another; what an earlier try of the run has committed stays as it is.

    :return: the receipts, and the reads with what has been told of them
    """
    done = done_by_this_run(plan.book, plan.windows)
    if done:
        yield from ask(
            Report(f"{len(done)} windows were committed by an earlier try of this run: they stay as they are")
        )
    failed: dict[Interval, InfluxRollupError] = {}
    for window in plan.windows:
        if window in done:
            continue
        yield from ask(
            Progressed(
                message="windows committed", done=len(done), total=len(plan.windows), refused=len(failed)
            )
        )
        try:
            done[window], reads = yield from within(window, _commit_window(plan, window))
            plan = replace(plan, reads=reads)
        except InfluxRollupError as error:
            if plan.run.options.fails_fast or not is_of_windows(error) or len(failed) >= MAX_FAILED:
                raise
            yield from ask(Report(f"{window} failed: {error.what}", level="warning"))
            failed[window] = error
    if failed:
        raise failures_as_one(plan.windows, failed, None, len(done))
    return [done[window] for window in plan.windows], plan.reads


def _plan(run: ScriptRun, interval: Interval, *, dry_run: bool) -> Steps[ScriptPlan]:
    spec = run.spec
    ledger_step = FindBucket(spec.ledger_bucket) if dry_run else EnsureBucket(spec.ledger_bucket)
    target, ledger = yield from gather(FindBucket(spec.target_bucket), ledger_step)
    target = existing(target, spec.target_bucket, interval, role="target", fix=FIX_TARGET)
    require_ledger_kept(ledger, interval)
    period = Duration.of(interval.duration) if spec.grid is None else Duration.of(spec.grid.every)
    yield from ask(CheckWritable(spec.target_bucket))
    verdict = yield from plan_gate(
        spec.script,
        window=interval,
        window_period=period,
        params=spec.params,
        target_bucket=spec.target_bucket,
        on_raw_read=spec.on_raw_read,
    )
    facts = verdict.facts
    if not facts.writes:
        what = f"the script writes nothing: it has no to() for bucket {spec.target_bucket!r}"
        raise ConfigurationError(what, window=interval, written="nothing", fix="end the script with to()")
    if target.id in facts.bucket_ids_read:
        raise own_target(spec.target_bucket, interval)
    grid_spec = spec.grid or _grid_of_script(facts)
    windows = (interval,) if grid_spec is None else tuple(grid_spec.grid().windows(interval))
    lateness = spec.lateness or _lateness_of_script(facts)
    if not dry_run:
        yield from wait_until_due(windows, lateness, run.now())
    reads = ScriptReads.of(spec.ledger_bucket, facts, spec.script, spec.params)
    book = _new_book(run, facts, grid_spec)
    if ledger is not None:
        book = replace(book, previous=(yield from receipts_of(book.ledger_bucket, book.pipeline, windows)))
        reads = yield from require_not_purged(reads, windows, book.previous)
    window_period = Duration.of(grid_spec.every) if grid_spec else None
    notes = [one.note for one in reads.told]
    notes += [*unread_notes(facts.results), *cut_notes(facts.cuts, windows, window_period)]
    if spec.pipeline is None:
        notes += shared_name_notes(book, windows)
    for note in notes:
        yield from ask(Report(note, level="warning"))
    yield from ask(
        Report(
            f"Pipeline {book.pipeline}: {len(windows)} windows of {interval}, "
            f"{book.committed_before(windows)} committed before"
        )
    )
    return ScriptPlan(
        run=run,
        windows=windows,
        book=book,
        period=window_period,
        target=target,
        reads=reads,
        results=facts.results,
        notes=(*verdict.warnings, *notes),
    )


def _grid_of_script(facts: ScriptFacts) -> GridSpec | None:
    """``option task``'s every, as InfluxDB's own task engine would tile time."""
    return GridSpec(facts.task.every.to_flux()) if facts.task and facts.task.every else None


def _lateness_of_script(facts: ScriptFacts) -> str:
    """``option task``'s offset delays the run: it is what this package calls lateness."""
    return facts.task.offset.to_flux() if facts.task and facts.task.offset else "0s"


def _new_book(run: ScriptRun, facts: ScriptFacts, grid: GridSpec | None) -> ReceiptBook:
    """Of what the ledger had, nothing yet."""
    spec = run.spec
    name = (facts.task.name if facts.task else None) or spec.name or spec.spec_hash()
    pipeline = spec.pipeline or f"{name}->{spec.target_bucket}@{grid.label if grid else 'interval'}"
    return ReceiptBook(
        ledger_bucket=spec.ledger_bucket,
        pipeline=pipeline,
        stage=ROLLUP,
        spec_hash=spec.spec_hash(),
        run=run.info,
        previous={},
        template_hash=spec.template_hash,
    )


def _commit_window(plan: ScriptPlan, window: Interval) -> Steps[tuple[Receipt, ScriptReads]]:
    spec, now = plan.run.spec, plan.run.now
    began = now()
    book = plan.book.claiming(began)
    yield from book.mark([window], State.WRITING, now())
    extern = extern_file(v=window_values(window, plan.period or window.duration), params=spec.params)
    try:
        returned = yield from ask(Query(spec.script, extern=extern, now=window.stop, as_sent=True))
        rows, checksum = yield from read_back(spec.target_bucket, plan.results, returned, window)
        # the script has read and written at once: what was purged while it ran, or before, may be missing of its rows
        book, reads = yield from last_look(plan.reads, [window], book)
    except InfluxRollupError as error:
        error.window = error.window or window
        if isinstance(error, WindowFrozen):
            error.written, error.fix = None, "restore the points from the archive, then run the window again"
        error.written = error.written or "some rows may be; the window stays WRITING in the ledger"
        error.fix = error.fix or script_advice(error)
        raise
    receipt = book.committed(
        window,
        now(),
        rows_in=0,
        rows_out=len(rows.points),
        series=rows.series_count,
        checksum=checksum,
        seconds=(now() - began).total_seconds(),
    )
    yield from ask(Write(spec.ledger_bucket, encode_receipts([receipt])))
    return receipt, reads


def steps_from_job(job: Mapping[str, Any], now: Clock) -> Steps[StageResult]:
    """The verb from plain values, for triggers.

    :param job: ``spec`` with ``options``, one of ``intervals``, ``run_info``
    :param now: the clock, aware UTC
    """
    values = dict(job["spec"])
    options = RollupOptions.from_json(values.pop("options", {}))
    values["grid"] = GridSpec(**values["grid"]) if values["grid"] else None
    interval = Interval.from_json(job["intervals"][0])
    run = replace(RunInfo(**job["run_info"]), resumes_own_try=True)
    return roll_up_by_script(ScriptSpec(**values), interval, run, now, options=options)
