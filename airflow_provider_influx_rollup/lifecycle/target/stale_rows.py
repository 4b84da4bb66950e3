"""Target values that the source no longer explains, and how they go.

Upserts never delete, and InfluxDB cannot delete one field of a point. So a point that holds a stale value is deleted by its
tags and exact time, and what is right of it, or belongs to other pipelines, is written again. A run that dies in
between leaves the window WRITING; its rerun writes the rest, with what was put aside for other pipelines. Another
pipeline that commits such a point meanwhile loses its commit, also one that has only begun: its window is WRITING again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from airflow_provider_influx_rollup.aggregates.frame import Frame, TagSet
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.target_read import TargetValues
from airflow_provider_influx_rollup.lifecycle.ledger.claimed_windows import claims_of, overtaken
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import ReceiptBook
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.lifecycle.target.neighbours import (
    Commits,
    commits_and_values,
    instant_of,
    seen_by_both,
    tear,
    with_neighbours,
)
from airflow_provider_influx_rollup.lifecycle.target.rows import Key
from airflow_provider_influx_rollup.lifecycle.target.set_aside import (
    Points,
    forget,
    points_of,
    put_aside,
    put_aside_by_anyone,
    several_values,
    without,
)
from airflow_provider_influx_rollup.lifecycle.target.write import write_of_points
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Delete, Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant


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
    def columns(self) -> frozenset[str]:
        """The stale fields of all points."""
        return frozenset().union(*self.columns_by_key.values())

    @property
    def value_count(self) -> int:
        """Number of values to delete."""
        return sum(len(names) for names in self.columns_by_key.values())


def delete_stale_rows(job: RollupBlock, book: ReceiptBook, stale: StaleRows) -> Steps[StaleRows]:
    """Delete the points that hold stale values and write again what stays of them.

    :param book: has the claim of the run; windows that another one has claimed meanwhile are left to it
    :return: what was removed: of a window that was left to another run nothing, and nothing is to be written there
    """
    yield from ask(
        Report(
            f"Removing {stale.value_count} values of {len(stale.columns_by_key)} points "
            f"from {job.spec.target_bucket} that the source no longer has"
        )
    )
    job = yield from with_neighbours(job)
    removed: dict[Key, frozenset[str]] = {}
    alone: list[Interval] = []
    for window_index in sorted({window for _, window in stale.columns_by_key}):
        window, doomed = job.windows[window_index], _doomed(job, stale, window_index)
        if not doomed:
            continue
        done = yield from _delete_in_window(job, book, window, doomed)
        if done is not Done.LEFT:
            removed |= {(tags, window_index): names for tags, names in doomed.items()}
        if done is Done.ALONE:
            alone.append(window)
    if alone:
        yield from _tear_of_new(job, alone)
    return StaleRows(removed)


def _doomed(job: RollupBlock, stale: StaleRows, window_index: int) -> dict[TagSet, frozenset[str]]:
    """What goes of a window; what another pipeline has taken over since the rows were compared is not the own any more."""
    found = {
        tags: frozenset(name for name in names if job.ownership.owns(name, tags))
        for (tags, window), names in stale.columns_by_key.items()
        if window == window_index
    }
    return {tags: names for tags, names in found.items() if names}


class Done(Enum):
    """How the deletes of a window went."""

    LEFT = auto()
    """Another run has the window, and nothing was deleted."""
    ALONE = auto()
    """No other pipeline was known to write to the points."""
    SHARED = auto()
    """What others may have written meanwhile was looked for."""


def _delete_in_window(
    job: RollupBlock, book: ReceiptBook, window: Interval, doomed: dict[TagSet, frozenset[str]]
) -> Steps[Done]:
    """Delete the points of one window, and write back what stays."""
    spec, claim_id = job.spec, book.claim_id
    instant = instant_of(window)
    everything = TargetValues(
        bucket=spec.target_bucket, measurement=spec.output_measurement, interval=instant
    )
    commits, frames = yield from commits_and_values(job, instant, everything)
    # what another run has deleted just now and not written back is in no read: it is put aside until it is back
    away = yield from put_aside_by_anyone(job, window)
    there = points_of(frames)
    known = _foreign(job, _kept(_all_of(away.points, there), doomed))
    # or their pipeline has removed it as stale, and committed that, before the record was forgotten
    old = away.commits if without(known, there) else None
    commits = _as_old_as(old, commits)
    _require_one_value(job, window, known, frames)
    is_shared = bool(known or job.ownership.neighbours)
    if is_shared:
        yield from put_aside(job, claim_id, window, known, commits)
    # others may have written since; what they write from now on is looked for below
    first = commits
    commits, frames = yield from commits_and_values(job, instant, everything)
    there = points_of(frames)
    # what is not there any more its pipeline may have removed since the first look, and committed that
    commits = _as_old_as(first if without(known, there) else old, commits)
    kept = _kept(_all_of(known, there), doomed)
    foreign = _foreign(job, kept)
    _require_one_value(job, window, foreign, frames)
    if without(foreign, known):
        is_shared = True
        yield from put_aside(job, claim_id, window, foreign, commits)
    if is_shared and overtaken(book, [window], (yield from ask(claims_of(book, [window])))):
        # the other run has found the values in their place, and forgets what was put aside
        yield from forget(job, window, claim_id)
        return Done.LEFT
    for tags in sorted(doomed):
        yield from ask(Delete(spec.target_bucket, instant, spec.output_measurement, dict(tags)))
    torn_by = yield from _write_back(job, everything, kept, commits)
    if not is_shared:
        return Done.ALONE
    yield from tear((yield from with_neighbours(job)), instant, commits, torn_by)
    yield from forget(job, window, claim_id)
    return Done.SHARED


def _as_old_as(old: Commits | None, commits: Commits) -> Commits:
    """The commits that no value to be written back is older than.

    :param old: those that were seen when some of these values were put aside; None when none was
    """
    return commits if old is None else seen_by_both(old, commits)


def _write_back(job: RollupBlock, everything: TargetValues, kept: Points, commits: Commits) -> Steps[str]:
    """Write what stays of the points that were deleted, but for values of others that are there by now.

    :return: the claim that windows of others have now, of which there are values
    """
    foreign = _foreign(job, kept)
    if foreign:
        there = points_of((yield from ask(everything)))
        kept = without(kept, _foreign(job, there))
    if not any(kept.values()):
        return ""
    torn_by = ""
    if foreign:
        # before they are back, too: another pipeline may have removed some as stale, and this run may die after it
        torn_by = yield from tear((yield from with_neighbours(job)), everything.interval, commits)
    spec = job.spec
    yield from ask(write_of_points(spec.target_bucket, spec.output_measurement, kept))
    return torn_by


def _tear_of_new(job: RollupBlock, windows: Iterable[Interval]) -> Steps[None]:
    """Tear windows of pipelines that have begun since it was seen that there are none: what was deleted may be their rows."""
    job = yield from with_neighbours(job)
    if job.ownership.neighbours:
        for window in windows:
            yield from tear(job, instant_of(window), {})


def _all_of(older: Points, newer: Points) -> Points:
    """The values of both; where both have one, the newer."""
    return {key: {**older.get(key, {}), **newer.get(key, {})} for key in {**older, **newer}}


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
