"""Put aside what is done and what must not be done, so that only windows are left that may be rolled up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks import purged_windows
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.blocks import done_by_this_run
from airflow_provider_influx_rollup.lifecycle.rollup.foreign_rows import require_no_foreign_rows
from airflow_provider_influx_rollup.lifecycle.rollup.frozen import frozen_windows
from airflow_provider_influx_rollup.lifecycle.rollup.plan import Plan, job_of, plan_rollup, tell_plan
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.source.retention import dropped_windows
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.runs import stretches


@dataclass(slots=True, kw_only=True)
class Outcome:
    """Results of a run's windows.

    :param committed: the receipts, also of what an earlier try has committed
    :param failed: the windows that are not, with the reason
    :param first_error: the first error of a block
    :param spec: as the ledger knows it
    """

    committed: dict[Interval, Receipt] = field(default_factory=dict)
    failed: dict[Interval, InfluxRollupError] = field(default_factory=dict)
    first_error: InfluxRollupError | None = None
    notes: list[str] = field(default_factory=list)
    spec: RollupSpec | None = None

    @property
    def pipeline_name(self) -> str:
        """The pipeline's name in the ledger; empty before anything was planned."""
        return self.spec.pipeline_name if self.spec is not None else ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, and the windows that may be rolled up.

    :param book: the plan's, which knows the forced windows
    :param todo: runs of neighbours in which no field changes its type
    """

    plan: Plan
    book: ReceiptBook
    todo: tuple[tuple[Interval, ...], ...]

    def job(self, spec: RollupSpec, windows: tuple[Interval, ...]) -> RollupBlock:
        """The job of some windows of one run of neighbours."""
        return job_of(spec, windows, self.plan.types.selection_of(windows), self.plan.ownership)


def prepare_windows(
    spec: RollupSpec,
    windows: tuple[Interval, ...],
    run: RunInfo,
    now: Clock,
    options: RollupOptions,
    outcome: Outcome,
    *,
    dry_run: bool = False,
) -> Steps[Prepared]:
    """Plan a rollup, and put aside what is done and what must not be done.

    :param windows: neighbours, in ascending order
    :param outcome: takes what an earlier try of the run has done, the windows that are refused, and the notes
    :raises ReceiptMissing: when the tier below is not COMMITTED, and the run fails fast
    :raises WindowFrozen: when retention reaches a window or its points were purged, and the run fails fast
    :raises ConfigurationError: when the target holds values that neither the source nor the pipeline explains
    """
    plan = yield from plan_rollup(spec, windows, run, dry_run=dry_run)
    spec = outcome.spec = plan.spec
    done = done_by_this_run(plan.book, windows)
    outcome.committed.update(done)
    runs, mixed = plan.types.runs_of_one_type(stretches(windows, [w for w in windows if w not in done]))
    refused: dict[Interval, InfluxRollupError] = {
        window: error for window, error in {**plan.waiting.windows, **mixed}.items() if window not in done
    }
    outcome.first_error = plan.waiting.as_one
    # whatever is asked for: the rollup is all that is left of these points
    refused |= purged_windows((window for run_ in runs for window in run_), plan.purged)
    refused |= dropped_windows((window for run_ in runs for window in run_), plan.target, now())
    runs = _without(runs, refused)
    here = {window for run_ in runs for window in run_}
    frozen: dict[Interval, InfluxRollupError] = {
        window: error for window, error in plan.poorer.items() if window in here
    }
    for some in runs:
        job = Prepared(plan, plan.book, ()).job(spec, some)
        frozen |= yield from frozen_windows(job, plan.book, plan.source, now())
    if not options.force:
        refused |= frozen
    if refused and options.fails_fast:
        raise refused[min(refused)]
    outcome.failed.update(refused)
    book = replace(plan.book, forced=frozenset(frozen)) if options.force else plan.book
    ready = Prepared(plan, book, tuple(_without(runs, refused)))
    for some in ready.todo:
        yield from require_no_foreign_rows(ready.job(spec, some), book.unknown(some), plan.others)
    outcome.notes += yield from _tell(spec, ready, len(done))
    return ready


def _without(
    runs: list[tuple[Interval, ...]], refused: Mapping[Interval, InfluxRollupError]
) -> list[tuple[Interval, ...]]:
    return [part for run in runs for part in stretches(run, [w for w in run if w not in refused])]


def _tell(spec: RollupSpec, ready: Prepared, done: int) -> Steps[list[str]]:
    windows = ready.plan.windows
    selections = [ready.plan.types.selection_of(some) for some in ready.todo]
    span = Interval.spanning(windows)
    notes = yield from tell_plan(spec, span, ready.plan, selections)
    if done:
        yield from ask(
            Report(f"{done} windows were committed by an earlier try of this run: they stay as they are")
        )
    if ready.book.forced:
        notes.append(
            f"force=True: {len(ready.book.forced)} frozen windows are rolled up from what is left of them"
        )
        yield from ask(Report(notes[-1], level="warning"))
    return notes
