"""Windows that expire, one after the other: the first to go first, and those that failed before not in the way of others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from airflow_provider_influx_rollup.exceptions import InfluxRollupError, StoreError
from airflow_provider_influx_rollup.lifecycle.archive.archive import archive
from airflow_provider_influx_rollup.lifecycle.archive.archive_run import ArchiveRun
from airflow_provider_influx_rollup.lifecycle.archive.expiring_candidates import (
    Candidate,
    deletion,
    differs,
    why_lost,
)
from airflow_provider_influx_rollup.lifecycle.archive_files.failed_tries import FailedTries, FailedTry
from airflow_provider_influx_rollup.lifecycle.archive_files.owner import require_own_folder
from airflow_provider_influx_rollup.lifecycle.run.window_errors import is_of_windows
from airflow_provider_influx_rollup.lifecycle.source.retention import is_too_old
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Bucket, Progressed, Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

#: of the places of a run, one in so many is kept for windows that failed before
PLACES_EACH = 10
#: where a run has one place, so many are for others before one is for a window at which a run died
OTHERS_FIRST = PLACES_EACH - 1


@dataclass(slots=True, kw_only=True)
class Looked:
    """Outcome of the windows of a run.

    :param rows: points that were archived
    :param failed: windows that could not be archived, and those for which it is too late
    :param again: windows that failed before, and that this run did not try again
    :param left: the others that this run did not look at
    :param late: those that retention has begun to take
    """

    archived: list[Interval] = field(default_factory=list)
    rows: int = 0
    failed: dict[Interval, InfluxRollupError] = field(default_factory=dict)
    again: list[Interval] = field(default_factory=list)
    left: list[Interval] = field(default_factory=list)
    late: list[Candidate] = field(default_factory=list)


def look_after(
    run: ArchiveRun,
    bucket: Bucket,
    windows: Collection[Interval],
    candidates: Sequence[Candidate],
    most: int,
) -> Steps[Looked]:
    """Archive windows in their turns; those for which it is too late are read when no other can be saved any more.

    A window that cannot be archived takes no other one's place; one that failed in an earlier run is tried again after
    others, in turn with its like. What a run that dies was working on counts as failed: it may be what kills it.

    :param bucket: the spec's
    :param windows: all that expire
    :param candidates: those of them that may have points which the archive lacks
    :param most: how many are archived, and how many that failed before are tried again; 0 looks only
    """
    tries = yield from FailedTries.read(run.spec.folder)
    # others may have archived them since, or a run may have died right after it did
    for settled in set(windows).difference(one.window for one in candidates):
        tries.tried.pop(settled, None)
    turns = _Turns(run=run, bucket=bucket, most=most, tries=tries)
    waited = tries.waited
    if waited >= OTHERS_FIRST:
        # written before the window is tried, as that may end the run
        tries.waited = 0
    order = in_turn(candidates, bucket, tries.tried, most, waited)
    for number, one in enumerate(order):
        yield from ask(Progressed(message="expiring windows looked after", done=number, total=len(order)))
        yield from turns.take(one)
    looked = turns.looked
    tries.waited += turns.is_for_another()
    yield from turns.forget_expired()
    for one in looked.late:
        if (error := (yield from why_lost(run.spec, bucket, one))) is not None:
            looked.failed[one.window] = error
    looked.again.sort()
    looked.left.sort()
    return looked


def in_turn(
    candidates: Sequence[Candidate],
    bucket: Bucket,
    tried: Mapping[Interval, FailedTry],
    most: int,
    waited: int = 0,
) -> list[Candidate]:
    """The order in which windows are looked at.

    First those that never failed, the first to go first, and of those that go at the same moment the ones that certainly
    lack points. A few places are kept for windows that failed, whose reason may have gone; the longest untried ones first.
    The only place is seldom for those at which a run died: one that kills each run would keep all others from it for ever.
    One that ends with an error leaves the place to the next.

    :param tried: the last tries of windows that failed
    :param most: places
    :param waited: how often the only place was another one's, while such a window waited
    """
    others = sorted(
        (one for one in candidates if one.window not in tried),
        key=lambda one: (deletion(one.window, bucket), one.is_doubtful, one.window),
    )
    failed = sorted(
        (one for one in candidates if one.window in tried), key=lambda one: (tried[one.window].at, one.window)
    )
    kept = _may_have_a_place(failed, tried, most, waited)[: max(1, most // PLACES_EACH)]
    first = max(most - len(kept), 0)
    last = [one for one in failed if one not in kept]
    return [*others[:first], *kept, *others[first:], *last]


def _may_have_a_place(
    failed: Sequence[Candidate], tried: Mapping[Interval, FailedTry], most: int, waited: int
) -> Sequence[Candidate]:
    """Windows that failed, as far as one of the places that are kept may be theirs."""
    if most > 1:
        return failed
    harmless = [one for one in failed if tried[one.window].has_ended]
    if waited < OTHERS_FIRST:
        return harmless
    return [one for one in failed if one not in harmless] or harmless


@dataclass(slots=True, kw_only=True)
class _Turns:
    """One run of the windows."""

    run: ArchiveRun
    bucket: Bucket
    most: int
    tries: FailedTries
    looked: Looked = field(default_factory=Looked)
    retried: int = 0

    def take(self, one: Candidate) -> Steps[None]:
        """Look at a window, as long as there is a place for it."""
        has_failed = one.window in self.tries.tried
        if self._is_too_old(one):
            self.looked.late.append(one)
        elif self._is_full(has_failed=has_failed):
            (self.looked.again if has_failed else self.looked.left).append(one.window)
        elif one.is_doubtful and not (yield from differs(self.run.spec, self.bucket, one)):
            self.tries.tried.pop(one.window, None)
        elif not self.most:
            self.looked.left.append(one.window)
        else:
            self.retried += has_failed
            yield from self._archive(one)

    def is_for_another(self) -> bool:
        """Whether another window had the only place, while one waits at which a run died."""
        waiting = (self.tries.tried[window] for window in self.looked.again)
        return self.most == 1 and bool(self.looked.archived) and any(not one.has_ended for one in waiting)

    def forget_expired(self) -> Steps[None]:
        """Forget the failures of windows that retention has taken: no run looks for them any more."""
        if self.most:
            taken = self.run.now() - timedelta(seconds=self.bucket.shard_group_seconds)
            tried = self.tries.tried.items()
            self.tries.tried = {one: at for one, at in tried if deletion(one, self.bucket) >= taken}
            yield from self.tries.write()

    def _is_too_old(self, one: Candidate) -> bool:
        return not self.run.spec.force and is_too_old(one.window, self.bucket, self.run.now())

    def _is_full(self, *, has_failed: bool) -> bool:
        is_tried_enough = has_failed and self.retried == self.most
        return bool(self.most) and (len(self.looked.archived) == self.most or is_tried_enough)

    def _archive(self, one: Candidate) -> Steps[None]:
        """Archive a window, or keep why that cannot be.

        :raises InfluxRollupError: what the next window would meet too
        """
        run, window, looked = self.run, one.window, self.looked
        before = dict(self.tries.tried)
        try:
            yield from require_own_folder(run.spec, window)
            yield from self.tries.begin(window, run.now())
            result = yield from archive(run.spec, [window], run.info, run.now, run.versions)
        except StoreError:
            raise
        except InfluxRollupError as error:
            if not is_of_windows(error):
                self.tries.tried = before
                yield from self.tries.write()
                raise
            self.tries.end(window)
            looked.failed[window] = error
            yield from ask(Report(str(error), "warning"))
            return
        del self.tries.tried[window]
        if result.archived[0].is_new:
            looked.rows += result.rows_out
            looked.archived.append(window)
        elif self._is_too_old(one):
            # the generation that there was is kept
            looked.late.append(one)
