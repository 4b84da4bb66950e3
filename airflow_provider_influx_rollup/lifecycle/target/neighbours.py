"""Other pipelines that write to the same points: what they have COMMITTED, and how a window of theirs is torn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptsOfSeveral
from airflow_provider_influx_rollup.flux.target_read import TargetValues
from airflow_provider_influx_rollup.hashing import text_hash
from airflow_provider_influx_rollup.ledger.codec import encode_claims, encode_receipts
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.pipeline.conflicts import claims_of_others
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import read_stored
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval, to_ns

SHARED = "shared"
# by pipeline: what tells its last commit from any other
Commits = Mapping[str, str]


def instant_of(window: Interval) -> Interval:
    """The time of a window's rows."""
    return Interval(window.start, window.start + MICROSECOND)


def with_neighbours(job: RollupBlock) -> Steps[RollupBlock]:
    """The block with the pipelines that write to the same points now: some may have begun since the run was planned."""
    others = claims_of_others(job.spec, (yield from read_stored(job.spec.ledger_bucket)))
    known = job.ownership
    claims = tuple(others.values()) if known.earlier else known.others
    return replace(job, ownership=replace(known, neighbours=tuple(sorted(others)), others=claims))


def commits_and_values(
    job: RollupBlock, instant: Interval, values: TargetValues
) -> Steps[tuple[Commits, list[Frame]]]:
    """See what the pipelines have COMMITTED that write to the same points, then read values: none is older than its commit."""
    receipts = yield from _receipts(job, instant)
    commits = {one.pipeline: _commit(one) for one in receipts if one.is_committed}
    return commits, (yield from ask(values))


def _receipts(job: RollupBlock, instant: Interval) -> Steps[list[Receipt]]:
    names = job.ownership.neighbours
    if not names:
        return []
    return (yield from ask(ReceiptsOfSeveral(job.spec.ledger_bucket, names, ROLLUP, instant)))


def seen_by_both(one: Commits, other: Commits) -> Commits:
    """The commits that are in both: values of several records may be older than a commit that only one of them saw."""
    return dict(one.items() & other.items())


def tear(job: RollupBlock, instant: Interval, before: Commits, torn_by: str = "") -> Steps[str]:
    """Windows that others have committed meanwhile are WRITING again: what was deleted or replaced may be their new value.

    From others that are writing their claim is taken: they may have read their rows back before the delete, and commit
    later. Such a run finds it at its last look, or its commit does not count. One that begins after this writes its rows
    after the delete. So does one of a pipeline that the block does not know yet: spec and claim are written together.

    :param job: with the neighbours as they were found after the delete
    :param before: the commits before the values were read that were written back
    :param torn_by: claim of windows that were torn already, and that nobody has claimed since
    :return: the claim that they have now; empty when there was none to tear
    """
    found = yield from _receipts(job, instant)
    changed = [one for one in found if one.is_committed and _commit(one) != before.get(one.pipeline)]
    writing = [one for one in found if one.state is State.WRITING]
    if torn_by:
        writing = [one for one in writing if one.claim_id != torn_by]
    if not changed and not writing:
        return torn_by
    claim_id = _claim_over(job, (*changed, *writing))
    reason = f"{SHARED}: {job.spec.pipeline_name}"
    torn = [replace(one, state=State.WRITING, reason=reason, claim_id=claim_id) for one in changed]
    yield from ask(Write(job.spec.ledger_bucket, [*encode_receipts(torn), *encode_claims(writing, claim_id)]))
    for one in writing:
        yield from ask(
            Report(
                f"Pipeline {one.pipeline!r} was writing {one.window} while values of the same points were removed: what it "
                "has written so far does not count",
                level="warning",
            )
        )
    for one in changed:
        yield from ask(
            Report(
                f"Pipeline {one.pipeline!r} has written {one.window} while values of the same points were removed: the window "
                "is WRITING again, and its next run, heal or reconcile makes it right",
                level="warning",
            )
        )
    return claim_id


def _commit(receipt: Receipt) -> str:
    return f"{receipt.generation} {to_ns(receipt.written_at)} {receipt.claim_id}"


def _claim_over(job: RollupBlock, receipts: Iterable[Receipt]) -> str:
    """A claim that differs from those of some receipts, and is the same for a rerun."""
    names = (job.spec.pipeline_name, *(f"{one.pipeline} {one.claim_id}" for one in receipts))
    return f"{text_hash(chr(0).join(names), SHARED):016x}"
