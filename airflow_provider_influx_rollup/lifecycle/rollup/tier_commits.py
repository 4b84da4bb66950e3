"""Commits of the tier below while a block of windows was merged from it."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_influx_rollup.exceptions import ReceiptMissing
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptState, ReceiptStates
from airflow_provider_influx_rollup.ledger.merged_from import LowerWindows
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.pipeline.merged_from import commit_of
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps

#: start, time of the commit and checksum of each window
Commits = frozenset[tuple[int, int, str]]


def commits_below(job: RollupBlock) -> Steps[Commits]:
    """The commits of the tier below; nothing when raw points are read.

    Equal answers before and after a read show that the tier was not rewritten meanwhile, which no count of rows can.

    :raises ReceiptMissing: when a window of it is not COMMITTED any more
    """
    states = yield from _states_below(job)
    for one in states:
        if one.state is not State.COMMITTED:
            what = f"pipeline {job.tier_below!r} has begun to roll {one.window} up again, so that it cannot be merged now"
            fix = "run this window again when that is COMMITTED"
            raise ReceiptMissing(what, window=job.span, fix=fix)
    return _commits(states)


def read_lower(job: RollupBlock) -> Steps[LowerWindows | None]:
    """The last commits of the tier below; None when raw points are read."""
    if job.tier_below is None:
        return None
    return LowerWindows.of(map(commit_of, (yield from _states_below(job))))


def _states_below(job: RollupBlock) -> Steps[list[ReceiptState]]:
    if job.tier_below is None:
        return []
    return (yield from ask(ReceiptStates(job.spec.ledger_bucket, job.tier_below, ROLLUP, job.read_interval)))


def _commits(states: Iterable[ReceiptState]) -> Commits:
    return frozenset((one.window.start_ns, one.written_at_ns, one.checksum) for one in states)


def merged_from(job: RollupBlock, commits: Commits) -> list[str | None]:
    """What the receipt of each window says of the tier below; nothing when raw points are read."""
    if job.tier_below is None:
        # written over what an earlier commit says
        unknown = None if job.spec.source_tier is None else ""
        return [unknown] * len(job.windows)
    lower = LowerWindows.of(commits)
    return [lower.hash_of(window) for window in job.windows]
