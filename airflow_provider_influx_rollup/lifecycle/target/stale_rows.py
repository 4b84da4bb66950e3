"""Target values that the source no longer explains, and how they go.

Upserts never delete, and InfluxDB cannot delete one field of a point. So a point that holds a stale value is deleted by its
tags and exact time, and what is right of it, or belongs to other pipelines, is written again. A run that dies in
between leaves the window WRITING; its rerun writes the rest, with what was put aside for other pipelines. Another
pipeline that commits such a point meanwhile loses its commit: its window is WRITING again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from airflow_provider_influx_rollup.aggregates.frame import Frame, TagSet
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptsOfSeveral
from airflow_provider_influx_rollup.flux.target_read import TargetValues
from airflow_provider_influx_rollup.hashing import text_hash
from airflow_provider_influx_rollup.ledger.codec import encode_claims, encode_receipts
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.lifecycle.target.rows import Key
from airflow_provider_influx_rollup.lifecycle.target.set_aside import (
    Points,
    forget,
    points_of,
    put_aside,
    several_values,
    without,
)
from airflow_provider_influx_rollup.lifecycle.target.write import write_of_points
from airflow_provider_influx_rollup.steps.ask import ask, gather
from airflow_provider_influx_rollup.steps.influx import Delete, Report, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval, format_instant

SHARED = "shared"
Receipts = dict[str, Receipt]


@dataclass(frozen=True, slots=True)
class StaleRows:
    """Values to remove.

    :param columns_by_key: the stale fields, by tag set and window
    """

    columns_by_key: dict[Key, frozenset[str]]

    @classmethod
    def of(cls, keys_by_column: Iterable[tuple[str, set[Key]]]) -> StaleRows:
        """Turn stale values per field into stale rows per point."""
        columns: dict[Key, set[str]] = defaultdict(set)
        for name, keys in keys_by_column:
            for key in keys:
                columns[key].add(name)
        return cls({key: frozenset(names) for key, names in columns.items()})

    @property
    def value_count(self) -> int:
        """Number of values to delete."""
        return sum(len(names) for names in self.columns_by_key.values())


def delete_stale_rows(job: RollupBlock, stale: StaleRows) -> Steps[None]:
    """Delete the points that hold stale values and write again what stays of them."""
    yield from ask(
        Report(
            f"Removing {stale.value_count} values of {len(stale.columns_by_key)} points "
            f"from {job.spec.target_bucket} that the source no longer has"
        )
    )
    for window_index in sorted({window for _, window in stale.columns_by_key}):
        doomed = {
            tags: names for (tags, window), names in stale.columns_by_key.items() if window == window_index
        }
        yield from _delete_in_window(job, job.windows[window_index], doomed)


def _delete_in_window(
    job: RollupBlock, window: Interval, doomed: dict[TagSet, frozenset[str]]
) -> Steps[None]:
    spec = job.spec
    instant = Interval(window.start, window.start + MICROSECOND)
    everything = TargetValues(
        bucket=spec.target_bucket, measurement=spec.output_measurement, interval=instant
    )
    frames = yield from ask(everything)
    kept = _kept(points_of(frames), doomed)
    foreign = _foreign(job, kept)
    _require_one_value(job, window, foreign, frames)
    receipts: Receipts = {}
    if foreign:
        yield from put_aside(job, window, foreign)
        # others may have written since; what they write from now on is looked for below
        receipts, frames = yield from _with_receipts(job, instant, everything)
        kept = _kept(points_of(frames), doomed)
        foreign = _foreign(job, kept)
        _require_one_value(job, window, foreign, frames)
    for tags in sorted(doomed):
        yield from ask(Delete(spec.target_bucket, instant, spec.output_measurement, dict(tags)))
    if foreign:
        there = points_of((yield from ask(everything)))
        kept = without(kept, _foreign(job, there))
    if any(kept.values()):
        yield from ask(write_of_points(spec.target_bucket, spec.output_measurement, kept))
    if foreign:
        yield from _tear(job, instant, receipts)
        yield from forget(job, window)


def _with_receipts(
    job: RollupBlock, instant: Interval, values: TargetValues
) -> Steps[tuple[Receipts, list[Frame]]]:
    """Read values, and see meanwhile what the pipelines have COMMITTED that write to the same points."""
    names = job.ownership.neighbours
    if not names:
        return {}, (yield from ask(values))
    query = ReceiptsOfSeveral(job.spec.ledger_bucket, names, ROLLUP, instant)
    receipts, answer = yield from gather(query, values)
    return {receipt.pipeline: receipt for receipt in receipts}, answer


def _tear(job: RollupBlock, instant: Interval, before: Receipts) -> Steps[None]:
    """Windows that others have committed meanwhile are WRITING again: what was deleted or replaced may be their new value.

    From others that are writing their claim is taken: they may have read their rows back before the delete, and commit
    later. Such a run finds it at its last look, or its commit does not count. One that begins after this writes its rows
    after the delete.

    :param before: the receipts when the values were read that were written back
    """
    names = job.ownership.neighbours
    if not names:
        return
    found = yield from ask(ReceiptsOfSeveral(job.spec.ledger_bucket, names, ROLLUP, instant))
    changed = [one for one in found if one.is_committed and one != before.get(one.pipeline)]
    writing = [one for one in found if one.state is State.WRITING]
    if not changed and not writing:
        return
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


def _claim_over(job: RollupBlock, receipts: Iterable[Receipt]) -> str:
    """A claim that differs from those of some receipts, and is the same for a rerun."""
    names = (job.spec.pipeline_name, *(f"{one.pipeline} {one.claim_id}" for one in receipts))
    return f"{text_hash(chr(0).join(names), SHARED):016x}"


def _kept(points: Points, doomed: dict[TagSet, frozenset[str]]) -> Points:
    """Right values that a delete by tags removes too."""
    wanted = [frozenset(tags) for tags in doomed]
    hit = {key: values for key, values in points.items() if any(w <= frozenset(key[0]) for w in wanted)}
    return {
        key: {name: value for name, value in values.items() if name not in doomed.get(key[0], ())}
        for key, values in hit.items()
    }


def _require_one_value(job: RollupBlock, window: Interval, foreign: Points, frames: Iterable[Frame]) -> None:
    """Refuse to delete values of others that are there twice, under two series keys: one alone can be written again.

    :raises ConfigurationError: before anything is deleted
    """
    for key, name in several_values(frames):
        if name in foreign.get(key, ()):
            series = ", ".join(f"{tag}={value}" for tag, value in key[0]) or "no tags"
            spec = job.spec
            what = (
                f"bucket {spec.target_bucket!r}, measurement {spec.output_measurement!r} holds {name!r} of {series} at "
                f"{format_instant(window.start)} under two series keys, with two values, and not from this pipeline; "
                "to remove what is wrong beside it would lose one of them"
            )
            fix = "delete that point by its tags and time, write the right value again, then run this again"
            raise ConfigurationError(what, window=window, fix=fix)


def _foreign(job: RollupBlock, points: Points) -> Points:
    """The values that a rerun of this pipeline would not write."""
    left = {
        key: {name: value for name, value in values.items() if not job.ownership.mine.covers(name, key[0])}
        for key, values in points.items()
    }
    return {key: values for key, values in left.items() if values}
