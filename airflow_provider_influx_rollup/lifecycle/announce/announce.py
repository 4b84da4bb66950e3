"""Which windows of a run hold other rows than other DAGs were told of, and a note that they are told now.

Nothing rests on what the run itself has seen. A try that died after its commits has told nothing, so the next one finds its
windows; a run that writes the same rows again finds none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from airflow_provider_influx_rollup.flux.announced import KnownWindow, KnownWindows
from airflow_provider_influx_rollup.hashing import text_hash
from airflow_provider_influx_rollup.ledger.announced import ANNOUNCED_BY, encode_announced
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import load_stored
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.run.held_window import HeldWindow
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.steps.ask import ask, gather
from airflow_provider_influx_rollup.steps.influx import Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.coverage import missing
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval

MAX_DAYS_OF_A_MONTH = 31
CLOCK_CHANGE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Where the windows of a pipeline lie that a run may have committed.

    :param pipeline: its name in the ledger
    :param interval: they stop in it
    :param stage: as receipts have it
    :param per: length of a partition, a Flux duration; None: each window is one
    :param timezone: zone of partitions of a script, whose grid the ledger does not know
    :param counts: the rows of a receipt that make it news although it has the checksum that was told of: what was written may
        have been gone meanwhile, and what was deleted have come back
    :param of_anyone: whether windows of other runs are news too, until somebody has told of them: a receipt that is not
        written again says it once
    """

    pipeline: str
    interval: Interval
    stage: str = ROLLUP
    per: str | None = None
    timezone: str = "UTC"
    counts: Literal["rows_in", "rows_out"] | None = None
    of_anyone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Windows that other DAGs are to hear of.

    :param place: bucket and measurement of the rows; None where the ledger does not know it
    :param windows: what is in these windows now, in order
    :param partitions: that hold one of them, and of which every window is COMMITTED
    :param uri: of their asset, where the stage has named it
    """

    pipeline: str
    stage: str
    place: tuple[str, str | None] | None
    windows: Sequence[Receipt | HeldWindow]
    partitions: Sequence[Interval]
    uri: str | None = None


def announce(ledger_bucket: str, made: Sequence[Made], run: RunInfo) -> Steps[list[Changed]]:
    """Find the windows that a run has committed with other rows than were told of, and note that they are told.

    :param ledger_bucket: bucket of the receipts
    :param made: what the run was about
    :param run: who tells it; a later try of the same task run tells it again, as this one may die before Airflow has heard
    :return: the pipelines that have such windows
    """
    if not made:
        return []
    stored = yield from load_stored(ledger_bucket)
    newest: dict[str, StoredSpec] = {}
    for spec in stored:
        newest.setdefault(spec.pipeline, spec)
    queries = [
        KnownWindows(ledger_bucket, one.pipeline, one.stage, _starts(one, newest.get(one.pipeline)))
        for one in made
    ]
    found = yield from gather(*queries)
    changed: list[Changed] = []
    told: list[Receipt] = []
    for one, windows in zip(made, found, strict=True):
        receipts = [known.receipt for known in windows if _is_news(known, one, run)]
        if receipts:
            stored_spec = newest.get(one.pipeline)
            partitions = yield from _partitions(ledger_bucket, one, stored_spec, receipts)
            changed.append(
                Changed(
                    pipeline=one.pipeline,
                    stage=one.stage,
                    place=_place(one, stored_spec),
                    windows=receipts,
                    partitions=partitions,
                )
            )
            told += receipts
    if told:
        yield from ask(Write(ledger_bucket, encode_announced(told, author_of(run))))
    return changed


def _partitions(
    ledger_bucket: str, made: Made, stored: StoredSpec | None, receipts: Sequence[Receipt]
) -> Steps[list[Interval]]:
    """The partitions of some windows, without those of which a window is not COMMITTED yet: its run will tell."""
    if made.per is None:
        return [receipt.window for receipt in receipts]
    grid = _grid_of_partitions(made.per, made.timezone, stored)
    touched = sorted({grid.window_at(receipt.window.start) for receipt in receipts})
    query = KnownWindows(ledger_bucket, made.pipeline, made.stage, Interval.spanning(touched))
    known = yield from ask(query)
    done = [one.receipt.window for one in known if one.receipt.is_committed]
    waiting = set(missing(touched, done))
    return [one for one in touched if one not in waiting]


def _grid_of_partitions(per: str, timezone: str, stored: StoredSpec | None) -> Grid:
    if stored is None or stored.is_script:
        return Grid.of(per, "0s", timezone)
    grid = stored.rollup().grid.grid()
    # days begin when days of the pipeline do; hours that begin later than the clock's say nothing of days
    return Grid.of(per, grid.offset if grid.is_calendar else "0s", grid.timezone)


def _is_of(receipt: Receipt, run: RunInfo) -> bool:
    """Whether a run has committed a window since its task was cleared last."""
    names = (receipt.dag_id, receipt.task_id, receipt.run_id, receipt.map_index)
    is_same = names == (run.dag_id, run.task_id, run.run_id, run.map_index)
    return is_same and receipt.try_number >= run.first_try


def _is_news(known: KnownWindow, made: Made, run: RunInfo) -> bool:
    receipt = known.receipt
    is_mine = _is_of(receipt, run)
    if not receipt.is_committed or not (is_mine or made.of_anyone):
        return False
    if made.stage == ROLLUP and not receipt.checksum:
        # what a script wrote and nobody has read back: it may have changed
        return True
    if known.announced != receipt.checksum or known.announced_by == author_of(run):
        return True
    return is_mine and made.counts is not None and int(getattr(receipt, made.counts)) > 0


def author_of(run: RunInfo) -> str:
    """The same for all tries of a task run until it is cleared."""
    names = (run.dag_id, run.task_id, run.run_id, str(run.map_index), str(run.first_try))
    return f"{text_hash(chr(0).join(names), ANNOUNCED_BY):016x}"


def _starts(made: Made, stored: StoredSpec | None) -> Interval:
    """Where windows start that stop in the interval: sliding ones reach over each other."""
    if stored is None or stored.is_script or made.stage != ROLLUP:
        return made.interval
    grid = stored.rollup().grid.grid()
    if not grid.is_sliding:
        return made.interval
    length = timedelta(days=MAX_DAYS_OF_A_MONTH * grid.period.months) or grid.period.timedelta
    return Interval(made.interval.start - length - CLOCK_CHANGE, made.interval.stop)


def _place(made: Made, stored: StoredSpec | None) -> tuple[str, str | None] | None:
    if stored is None or made.stage != ROLLUP:
        return None
    return stored.place or (str(stored.values["target_bucket"]), None)
