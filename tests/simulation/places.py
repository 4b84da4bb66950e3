"""Places of a run where the turn matters: what its next step does to others, or reads of them."""

from __future__ import annotations

from typing import Any

from airflow_provider_influx_rollup.flux.ledger_read import SetAsideRecords
from airflow_provider_influx_rollup.flux.query import LedgerQuery, Together
from airflow_provider_influx_rollup.steps.influx import Delete, Gather, Report, Write
from airflow_provider_influx_rollup.steps.store import (
    EraseParts,
    JoinParts,
    MergeParts,
    PutNew,
    PutOver,
    RemoveFiles,
    WriteParts,
    WritePoints,
)
from airflow_provider_influx_rollup.steps.table import CommitPoints
from tests.simulation.runs import Act, Run
from tests.simulation.script_answers import is_run

SEEN = frozenset(
    (
        CommitPoints,
        Act,
        Write,
        Delete,
        WritePoints,
        WriteParts,
        MergeParts,
        EraseParts,
        JoinParts,
        PutNew,
        PutOver,
        RemoveFiles,
    )
)
ROW_BUCKETS = ("rolled", "daily")
#: steps after which something is gone
DELETES = frozenset((Delete, RemoveFiles, EraseParts))


def is_delete(run: Run) -> bool:
    """Whether something is gone after the next step of a run."""
    return type(run.pending) in DELETES


def is_seen(run: Run) -> bool:
    """Whether others see what the next step of a run does."""
    pending: Any = run.pending
    if is_run(pending):
        return True
    if isinstance(pending, Gather):
        return any(type(pending.steps[number]) in SEEN for number in run.waiting)
    return type(pending) in SEEN


def is_record(run: Run) -> bool:
    """Whether the next step of a run writes to the ledger."""
    pending: Any = run.pending
    steps = [pending.steps[number] for number in run.waiting] if isinstance(pending, Gather) else [pending]
    return any(isinstance(step, Write) and step.bucket == "ledger" for step in steps)


def is_row_write(run: Run) -> bool:
    """Whether its next step writes rows."""
    pending: Any = run.pending
    steps = [pending.steps[number] for number in run.waiting] if isinstance(pending, Gather) else [pending]
    return any(isinstance(step, Write) and step.bucket in ROW_BUCKETS for step in steps)


def is_row_delete(run: Run) -> bool:
    """Whether its next step deletes rows."""
    return isinstance(run.pending, Delete) and run.pending.bucket in ROW_BUCKETS


def is_file_claim(run: Run) -> bool:
    """Whether its next step claims a window of an archive."""
    return isinstance(run.pending, PutNew) and "/claims/" in run.pending.path


def is_forget(run: Run) -> bool:
    """Whether its next step forgets what a run has put aside."""
    return isinstance(run.pending, Delete) and run.pending.measurement == "ghost_survivors"


def is_look_at_aside(run: Run) -> bool:
    """Whether it has seen who has its windows, and is about to see what runs of them have put aside."""
    return isinstance(run.next_read, SetAsideRecords)


def is_commit(run: Run) -> bool:
    """Whether the next step of a run commits windows."""
    pending: Any = run.pending
    is_of_ledger = isinstance(pending, Write) and pending.bucket == "ledger"
    return is_of_ledger and any('state="COMMITTED"' in line for line in pending.lines)


def is_removal(run: Run) -> bool:
    """Whether it has found rows that are to go, and says so."""
    return isinstance(run.pending, Report) and run.pending.message.startswith("Removing ")


def is_ledger_read(run: Run) -> bool:
    """Whether its next step asks the ledger for something."""
    pending: Any = run.pending
    steps = [pending.steps[number] for number in run.waiting] if isinstance(pending, Gather) else [pending]
    return any(
        isinstance(one, LedgerQuery)
        for step in steps
        for one in (step.parts if isinstance(step, Together) else (step,))
    )


def is_of_first(run: Run) -> bool:
    """Whether it is one of the first pipeline of its world."""
    return pipeline_of(run) is run.world.pipelines[0]


def pipeline_of(run: Run) -> Any:
    """That of a rollup or a reconcile; None for others."""
    return getattr(run.turns, "pipeline", None)
