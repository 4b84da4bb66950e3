"""Purges of the windows of a restore in place, and the records that say the points are back.

It lifts only marks that it knew before it looked at the points, and only while no purge has claimed the windows since;
then it looks at the points once more. So a purge that deletes in between is never left without its mark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from airflow_provider_influx_rollup.archive.catalog import compacted_of
from airflow_provider_influx_rollup.archive.paths import window_folder
from airflow_provider_influx_rollup.exceptions import PartialWrite, StoreForbidden
from airflow_provider_influx_rollup.ledger.purges import PurgeMark
from airflow_provider_influx_rollup.lifecycle.archive_files.purge_state import (
    PurgeState,
    read_purge,
    write_purge,
)
from airflow_provider_influx_rollup.lifecycle.archive_files.window_claims import (
    claim_window,
    forget_claims,
    holds_claim,
)
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks import lift_marks, put_back_marks
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import overlapping_marks
from airflow_provider_influx_rollup.lifecycle.restore.restore_run import RestoreRun
from airflow_provider_influx_rollup.lifecycle.restore.source import RestoreSource
from airflow_provider_influx_rollup.lifecycle.restore.spec import RestoreSpec
from airflow_provider_influx_rollup.lifecycle.restore.target import look_at_target
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import FindBucket, Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

FIX = "run it again when no purge of the window is going on"


@dataclass(frozen=True, slots=True)
class Purges:
    """The purges that a restore knew before it looked at the points.

    :param marks: in the ledger
    :param states: beside the archive, by window
    :param claims: of this run, by window
    """

    marks: Sequence[PurgeMark] = ()
    states: Mapping[Interval, PurgeState] = field(default_factory=dict)
    claims: Mapping[Interval, int] = field(default_factory=dict)

    def knows(self, mark: PurgeMark) -> bool:
        """Whether a mark was there, or is what this run has left of one."""
        return any(
            replace(one, window=mark.window) == mark and one.window.covers(mark.window) for one in self.marks
        )


def find_purges(spec: RestoreSpec, interval: Interval, sources: Sequence[RestoreSource]) -> Steps[Purges]:
    """Take the purged windows over from the runs that purged them, dead or not."""
    if not spec.is_in_place:
        return Purges()
    windows = sorted({window for source in sources for window in _windows_of(source)})
    has_ledger = (yield from ask(FindBucket(spec.ledger_bucket))) is not None
    claims: dict[Interval, int] = {}
    while True:
        states = yield from _states(spec, windows)
        marks = (yield from _marks(spec, interval)) if has_ledger else []
        purged = [one for one in windows if one in states or any(mark.window.overlaps(one) for mark in marks)]
        new = [one for one in purged if one not in claims]
        claimed = yield from _claim(spec, new)
        claims |= claimed
        # what was known before the claim may have changed until then
        if not new or len(claimed) < len(new):
            return Purges(marks, states, claims)


def lift(run: RestoreRun, source: RestoreSource, known: Purges) -> Steps[list[Interval]]:
    """Purged points that are back where they were are no longer purged.

    :raises PartialWrite: when a purge has begun since, or has taken points again; the windows stay marked then
    """
    spec = run.spec
    if not spec.is_in_place:
        return []
    states = {one: known.states[one] for one in source.whole_windows if one in known.states}
    yield from _require_turn(spec, source, known)
    marks = yield from _marks(spec, source.interval)
    if not all(known.knows(mark) for mark in marks):
        raise _overtaken(source)
    if not marks and not states:
        return []
    yield from lift_marks(spec.ledger_bucket, marks, source.interval)
    yield from _forget(spec, source, states)
    looks = yield from look_at_target(run, source)
    if any(look.needs_writing for look in looks):
        yield from put_back_marks(spec.ledger_bucket, marks)
        for window, state in states.items():
            yield from write_purge(window_folder(spec.folder, window), state)
        raise _overtaken(source)
    for window in _windows_of(source):
        if window in known.claims and source.interval.covers(window):
            yield from forget_claims(window_folder(spec.folder, window), known.claims[window])
    return [mark.window for mark in marks]


def _windows_of(source: RestoreSource) -> list[Interval]:
    """The archived windows that a purge may have taken, of which the source has points."""
    found = {layer.manifest.window for layer in source.layers}
    found |= {window for layer in source.layers for window in compacted_of(layer.manifest)}
    return [window for window in found if window.overlaps(source.interval)]


def _states(spec: RestoreSpec, windows: Sequence[Interval]) -> Steps[dict[Interval, PurgeState]]:
    states = {}
    for window in windows:
        state = yield from read_purge(window_folder(spec.folder, window))
        if state is not None:
            states[window] = state
    return states


def _marks(spec: RestoreSpec, interval: Interval) -> Steps[list[PurgeMark]]:
    return (
        yield from overlapping_marks(
            spec.ledger_bucket, spec.target_bucket, spec.output_measurement, interval
        )
    )


def _claim(spec: RestoreSpec, windows: Sequence[Interval]) -> Steps[dict[Interval, int]]:
    """The claims of the windows that could be claimed: a restore needs no right to write in the archive."""
    claims: dict[Interval, int] = {}
    for window in windows:
        try:
            claims[window] = yield from claim_window(window_folder(spec.folder, window))
        except StoreForbidden:
            break
    return claims


def _require_turn(spec: RestoreSpec, source: RestoreSource, known: Purges) -> Steps[None]:
    for window in _windows_of(source):
        claim = known.claims.get(window)
        if claim is not None and not (yield from holds_claim(window_folder(spec.folder, window), claim)):
            raise _overtaken(source)
    for window in source.whole_windows:
        state = known.states.get(window)
        if state and (yield from read_purge(window_folder(spec.folder, window))) not in (state, None):
            raise _overtaken(source)


def _overtaken(source: RestoreSource) -> PartialWrite:
    what = "a purge of these points has begun, or gone on, while they were restored"
    written = (
        "the points of the archive, some of which may be gone again; what was marked as purged stays marked"
    )
    return PartialWrite(what, window=source.interval, written=written, fix=FIX)


def _forget(spec: RestoreSpec, source: RestoreSource, states: dict[Interval, PurgeState]) -> Steps[None]:
    try:
        for window in states:
            yield from write_purge(window_folder(spec.folder, window), None)
    except StoreForbidden as error:
        what = f"{error.what}; the next archive of {source.interval} keeps every point of this one"
        yield from ask(Report(what, "warning"))
