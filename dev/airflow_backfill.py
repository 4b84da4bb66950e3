"""Backfills through Airflow's own commands: ``airflow backfill create`` (3.x), ``airflow dags backfill`` (2.11)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from dev.airflow_process import AirflowProcess
from dev.processes import POLL_SECONDS, ProcessFailed, wait_until

Progress = Callable[["BackfillStates"], None]
ENDED = ("success", "failed")
CREATIONS = 3


@dataclass(frozen=True, slots=True)
class BackfillStates:
    """How far the runs of a backfill are.

    :param runs: how many runs there are in each state
    """

    runs: dict[str, int]

    @property
    def total(self) -> int:
        """All runs."""
        return sum(self.runs.values())

    @property
    def ended(self) -> int:
        """Runs that succeeded or failed."""
        return sum(self.runs.get(state, 0) for state in ENDED)


@dataclass(frozen=True, slots=True)
class Backfill:
    """One backfill.

    :param first: logical date of the first run
    :param last: logical date of the last run (inclusive, as in Airflow)
    :param reprocess: which existing runs to run again: ``none``, ``failed`` or ``completed``
    :param backwards: newest first
    :param max_active_runs: 3.x only; on 2.11 the DAG's own counts
    """

    dag_id: str
    first: datetime
    last: datetime
    reprocess: str = "none"
    backwards: bool = False
    max_active_runs: int = 3


def run_backfill(
    airflow: AirflowProcess, backfill: Backfill, *, progress: Progress | None = None, timeout: float = 240.0
) -> BackfillStates:
    """Run a backfill and wait for its end.

    :param progress: called with the states whenever they were read
    :raises ProcessFailed: when a run fails or the time is over, with the end of the newest task log
    """
    watch = _run_on_three if airflow.is_three else _run_on_two
    states = watch(airflow, backfill, progress or _no_progress, time.monotonic() + timeout)
    if states.runs.get("failed") or states.ended != states.total or not states.total:
        message = f"backfill of {backfill.dag_id}: {states.runs}\n{airflow.task_log(backfill.dag_id)}"
        raise ProcessFailed(message)
    return states


def make_ready(airflow: AirflowProcess, *dag_ids: str) -> None:
    """Make Airflow know DAGs of its folder now: 3.x reads them as it starts, 2.11 (no scheduler here) when asked.

    :raises ProcessFailed: when it does not know one after two minutes
    """
    if not airflow.is_three:
        airflow.cli("dags", "reserialize")
    wait_until(
        lambda: {row[0] for row in airflow.rows("select dag_id from serialized_dag")} >= set(dag_ids),
        seconds=120,
        what=f"Airflow knows {dag_ids}",
    )


def unpause(airflow: AirflowProcess, dag_id: str) -> None:
    """Let the scheduler run a DAG (3.x: a backfill's runs of a paused DAG wait forever)."""
    if airflow.rows("select is_paused from dag where dag_id = ?", (dag_id,))[0][0]:
        airflow.cli("dags", "unpause", "-y", dag_id)


def _run_on_three(
    airflow: AirflowProcess, backfill: Backfill, progress: Progress, deadline: float
) -> BackfillStates:
    make_ready(airflow, backfill.dag_id)
    unpause(airflow, backfill.dag_id)
    _wait_for_the_one_before(airflow, backfill.dag_id, deadline)
    number = _create(airflow, backfill)
    while True:
        airflow.processes.check()
        states = _states_on_three(airflow, number)
        progress(states)
        if states.ended == states.total or time.monotonic() > deadline:
            return states
        time.sleep(POLL_SECONDS)


def _create(airflow: AirflowProcess, backfill: Backfill) -> int:
    """Create a backfill and give its number."""
    arguments = [
        "--dag-id", backfill.dag_id,
        "--from-date", backfill.first.isoformat(),
        "--to-date", backfill.last.isoformat(),
        "--reprocess-behavior", backfill.reprocess,
        "--max-active-runs", str(backfill.max_active_runs),
        *(["--run-backwards"] if backfill.backwards else []),
    ]  # fmt: skip
    before = _newest(airflow, backfill.dag_id)
    for attempt in range(CREATIONS):
        try:
            with airflow.alone_with_database():
                # a locked database may leave half a backfill behind, which the scheduler runs
                airflow.cli("backfill", "create", *arguments, retries=0)
        except ProcessFailed as failed:
            is_locked = "database is locked" in str(failed)
            if not is_locked or _newest(airflow, backfill.dag_id) != before or attempt == CREATIONS - 1:
                raise
        else:
            break
    return _newest(airflow, backfill.dag_id)


def _newest(airflow: AirflowProcess, dag_id: str) -> int:
    """The number of the newest backfill of a DAG; 0 without one."""
    return int(airflow.rows("select coalesce(max(id), 0) from backfill where dag_id = ?", (dag_id,))[0][0])


def _wait_for_the_one_before(airflow: AirflowProcess, dag_id: str, deadline: float) -> None:
    """A DAG has one active backfill, and the scheduler closes it up to 30 s after its last run."""
    query = "select count(*) from backfill where dag_id = ? and completed_at is null"
    while airflow.rows(query, (dag_id,))[0][0] and time.monotonic() < deadline:
        airflow.processes.check()
        time.sleep(POLL_SECONDS)


def _states_on_three(airflow: AirflowProcess, number: int) -> BackfillStates:
    # runs that existed before, or are on their way by the schedule, have no dag_run_id here but the same date
    query = """select coalesce(r.state, b.exception_reason, 'unknown'), count(*)
        from backfill_dag_run b join backfill f on f.id = b.backfill_id
        left join dag_run r on r.dag_id = f.dag_id and r.logical_date = b.logical_date
        where b.backfill_id = ? group by 1"""
    return BackfillStates(dict(airflow.rows(query, (number,))))


def _run_on_two(
    airflow: AirflowProcess, backfill: Backfill, progress: Progress, deadline: float
) -> BackfillStates:
    arguments = [
        "dags", "backfill", "-l", "-y",
        "-s", backfill.first.isoformat(),
        "-e", backfill.last.isoformat(),
        *(["-B"] if backfill.backwards else []),
        *(["--reset-dagruns"] if backfill.reprocess == "completed" else []),
        *(["--rerun-failed-tasks"] if backfill.reprocess == "failed" else []),
        backfill.dag_id,
    ]  # fmt: skip
    if progress is _no_progress and airflow.has_commands:
        # nobody asks before its end: a fork of the process that has Airflow loaded
        _run_to_its_end(airflow, backfill.dag_id, arguments, deadline)
        return _states_on_two(airflow, backfill)
    name = f"backfill-{re.sub(r'[^A-Za-z0-9_-]', '_', backfill.dag_id)}"
    airflow.processes.start(name, airflow.command(*arguments), airflow.environment, airflow.home)
    while airflow.processes.running(name) and time.monotonic() < deadline:
        progress(_states_on_two(airflow, backfill))
        time.sleep(POLL_SECONDS)
    if time.monotonic() >= deadline:
        airflow.processes.stop([name])
    elif airflow.processes.wait(name):
        log = airflow.processes.log(name)
        message = f"{log} says:\n{log.read_text()[-4000:]}\n{airflow.task_log(backfill.dag_id)}"
        raise ProcessFailed(message)
    states = _states_on_two(airflow, backfill)
    progress(states)
    return states


def _run_to_its_end(airflow: AirflowProcess, dag_id: str, arguments: list[str], deadline: float) -> None:
    try:
        airflow.cli(*arguments, timeout=deadline - time.monotonic(), retries=0)
    except ProcessFailed as failed:
        message = f"{failed}\n{airflow.task_log(dag_id)}"
        raise ProcessFailed(message) from failed


def _states_on_two(airflow: AirflowProcess, backfill: Backfill) -> BackfillStates:
    query = """select state, count(*) from dag_run
        where dag_id = ? and run_type = 'backfill' and execution_date between ? and ? group by state"""
    limits = tuple(f"{instant:%Y-%m-%d %H:%M:%S.%f}" for instant in (backfill.first, backfill.last))
    return BackfillStates(dict(airflow.rows(query, (backfill.dag_id, *limits))))


def _no_progress(_: BackfillStates) -> None:
    """Nobody watches."""
