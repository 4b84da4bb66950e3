"""Which windows of a run hold other rows than other DAGs were told of, and a note that they are told now.

Nothing rests on what the run itself has seen. A try that died after its commits has told nothing, so the next one finds its
windows; a run that writes the same rows again finds none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from airflow_provider_influx_rollup.flux.announced import KnownWindow, KnownWindows
from airflow_provider_influx_rollup.hashing import text_hash
from airflow_provider_influx_rollup.ledger.announced import ANNOUNCED_BY, encode_announced
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import load_stored
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.steps.ask import ask, gather
from airflow_provider_influx_rollup.steps.influx import Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

MAX_DAYS_OF_A_MONTH = 31
CLOCK_CHANGE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Where the windows of a pipeline lie that a run may have committed.

    :param pipeline: its name in the ledger
    :param interval: they stop in it
    :param stage: as receipts have it
    """

    pipeline: str
    interval: Interval
    stage: str = ROLLUP


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Windows that other DAGs are to hear of.

    :param place: bucket and measurement of the rows; None where the ledger does not know it
    :param receipts: of these windows, in order
    """

    pipeline: str
    place: tuple[str, str | None] | None
    receipts: Sequence[Receipt]


def announce(ledger_bucket: str, made: Sequence[Made], run: RunInfo) -> Steps[list[Changed]]:
    """Find the windows that a run has committed with other rows than were told of, and note that they are told.

    :param ledger_bucket: bucket of the receipts
    :param made: what the run was about
    :param run: who tells it; a later try of the same task run tells it again, as this one may die before Airflow has heard
    :return: the pipelines that have such windows
    """
    stored = yield from load_stored(ledger_bucket)
    newest: dict[str, StoredSpec] = {}
    for spec in stored:
        newest.setdefault(spec.pipeline, spec)
    queries = [
        KnownWindows(ledger_bucket, one.pipeline, one.stage, _starts(one, newest.get(one.pipeline)))
        for one in made
    ]
    author = _author(run)
    found = yield from gather(*queries)
    changed = [
        Changed(pipeline=one.pipeline, place=_place(one, newest), receipts=receipts)
        for one, windows in zip(made, found, strict=True)
        if (receipts := [known.receipt for known in windows if _is_news(known, run, author)])
    ]
    lines = [line for one in changed for line in encode_announced(one.receipts, author)]
    if lines:
        yield from ask(Write(ledger_bucket, lines))
    return changed


def _is_news(known: KnownWindow, run: RunInfo, author: str) -> bool:
    receipt = known.receipt
    is_of_run = (receipt.dag_id, receipt.task_id, receipt.run_id, receipt.map_index) == (
        run.dag_id,
        run.task_id,
        run.run_id,
        run.map_index,
    )
    if not (receipt.is_committed and is_of_run and receipt.try_number >= run.first_try):
        return False
    return known.announced != receipt.checksum or known.announced_by == author


def _author(run: RunInfo) -> str:
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


def _place(made: Made, newest: Mapping[str, StoredSpec]) -> tuple[str, str | None] | None:
    stored = newest.get(made.pipeline)
    if stored is None or made.stage != ROLLUP:
        return None
    return stored.place or (str(stored.values["target_bucket"]), None)
