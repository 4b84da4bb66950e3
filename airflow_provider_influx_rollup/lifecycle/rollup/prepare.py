"""Put aside what is done and what must not be done, so that only windows are left that may be rolled up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks import purged_windows
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.rollup.blocks import done_by_this_run
from airflow_provider_influx_rollup.lifecycle.rollup.foreign_rows import require_no_foreign_rows
from airflow_provider_influx_rollup.lifecycle.rollup.frozen import frozen_windows
from airflow_provider_influx_rollup.lifecycle.rollup.plan import Plan, plan_rollup, tell_plan
from airflow_provider_influx_rollup.lifecycle.rollup.rollup_run import RollupRun
from airflow_provider_influx_rollup.lifecycle.source.retention import dropped_windows
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.runs import stretches


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A plan, and the windows that may be rolled up.

    :param book: the plan's, which knows the forced windows
    :param todo: runs of neighbours in which no field changes its type
    :param committed: the receipts of what an earlier try of the run has done
    :param refused: windows that must not be rolled up, with the reason
    :param first_error: that of windows that wait, as one
    """

    plan: Plan
    book: ReceiptBook
    todo: tuple[tuple[Interval, ...], ...]
    committed: Mapping[Interval, Receipt]
    refused: Mapping[Interval, InfluxRollupError]
    first_error: InfluxRollupError | None
    notes: Sequence[str]


def prepare_windows(
    run: RollupRun, windows: tuple[Interval, ...], *, dry_run: bool = False
) -> Steps[Prepared]:
    """Plan a rollup, and put aside what is done and what must not be done.

    :param windows: neighbours, in ascending order
    :raises ReceiptMissing: when the tier below is not COMMITTED, and the run fails fast
    :raises WindowFrozen: when retention reaches a window or its points were purged, and the run fails fast
    :raises ConfigurationError: when the target holds values that neither the source nor the pipeline explains
    """
    plan = yield from plan_rollup(run.spec, windows, run.info, dry_run=dry_run)
    done = done_by_this_run(plan.book, windows)
    runs, mixed = plan.types.runs_of_one_type(stretches(windows, [w for w in windows if w not in done]))
    refused: dict[Interval, InfluxRollupError] = {
        window: error for window, error in {**plan.waiting.windows, **mixed}.items() if window not in done
    }
    # whatever is asked for: the rollup is all that is left of these points
    refused |= purged_windows((window for some in runs for window in some), plan.purged)
    refused |= dropped_windows((window for some in runs for window in some), plan.target, run.now())
    runs = _without(runs, refused)
    here = {window for some in runs for window in some}
    frozen: dict[Interval, InfluxRollupError] = {
        window: error for window, error in plan.poorer.items() if window in here
    }
    for some in runs:
        frozen |= yield from frozen_windows(plan.job(some), plan.book, plan.source, run.now())
    is_forced = run.options.force
    if not is_forced:
        refused |= frozen
    if refused and run.options.fails_fast:
        raise refused[min(refused)]
    book = replace(plan.book, forced=frozenset(frozen)) if is_forced else plan.book
    todo = tuple(_without(runs, refused))
    for some in todo:
        yield from require_no_foreign_rows(plan.job(some), book.unknown(some), plan.others)
    return Prepared(
        plan=plan,
        book=book,
        todo=todo,
        committed=done,
        refused=refused,
        first_error=plan.waiting.as_one,
        notes=(yield from _tell(plan, book, todo, len(done))),
    )


def _without(
    runs: list[tuple[Interval, ...]], refused: Mapping[Interval, InfluxRollupError]
) -> list[tuple[Interval, ...]]:
    return [part for run in runs for part in stretches(run, [w for w in run if w not in refused])]


def _tell(plan: Plan, book: ReceiptBook, todo: Sequence[tuple[Interval, ...]], done: int) -> Steps[list[str]]:
    selections = [plan.types.selection_of(some) for some in todo]
    notes = yield from tell_plan(plan.spec, Interval.spanning(plan.windows), plan, selections)
    if done:
        yield from ask(
            Report(f"{done} windows were committed by an earlier try of this run: they stay as they are")
        )
    if book.forced:
        notes.append(f"force=True: {len(book.forced)} frozen windows are rolled up from what is left of them")
        yield from ask(Report(notes[-1], level="warning"))
    return notes
