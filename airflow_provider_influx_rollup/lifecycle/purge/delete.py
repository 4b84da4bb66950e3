"""Delete a window that is proven: marks first, one more look, the delete, and then what it left."""

from __future__ import annotations

from dataclasses import dataclass, replace

from airflow_provider_influx_rollup.exceptions import (
    ArchiveMismatch,
    InfluxRollupError,
    PartialWrite,
    StoreError,
)
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.ledger.purges import DELETING as MARK_DELETING
from airflow_provider_influx_rollup.ledger.purges import PurgeMark, encode_mark
from airflow_provider_influx_rollup.lifecycle.archive.purged import find_marks
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.archive_files.begun_deletes import begin_delete, end_delete
from airflow_provider_influx_rollup.lifecycle.archive_files.certificates import require_last
from airflow_provider_influx_rollup.lifecycle.archive_files.purge_state import (
    DELETING,
    DONE,
    PurgeState,
    read_purge,
    write_purge,
)
from airflow_provider_influx_rollup.lifecycle.archive_files.window_claims import holds_claim, release_claim
from airflow_provider_influx_rollup.lifecycle.purge.given_up import Announced, mark_of, standing, take_back
from airflow_provider_influx_rollup.lifecycle.purge.proof import (
    MAX_NAMED,
    Proof,
    compare_rest,
    purge_id_of,
    require_all_archived,
)
from airflow_provider_influx_rollup.lifecycle.purge.purge_run import PurgeRun
from airflow_provider_influx_rollup.lifecycle.purge.spec import PurgeSpec, refused
from airflow_provider_influx_rollup.lifecycle.purge.tiers import require_unchanged
from airflow_provider_influx_rollup.lifecycle.run.window_errors import once_deleted
from airflow_provider_influx_rollup.lifecycle.source.retention import is_too_old
from airflow_provider_influx_rollup.lifecycle.source.slices import count_each
from airflow_provider_influx_rollup.lifecycle.source.whole_read import fingerprint_source
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Delete, Report, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, storable_part

MAX_ROUNDS = 3
DELETED = "some or all points are deleted, the archive holds them, and the certificate is not complete"
NOTHING_DELETED = "this run has deleted no point of the window"
MAYBE_DELETED = "some or all points may be deleted, and the archive holds them"
RERUN = "run the purge again: it deletes the rest and certifies it"


@dataclass(frozen=True, slots=True)
class Deleted:
    """Result of a delete.

    :param left: points that came after the last look, and are in the bucket
    :param neighbours: points of the window before and of that after, before and after the delete
    """

    announced: Announced
    left: int
    neighbours: tuple[tuple[int, int], tuple[int, int]]


def delete_window(run: PurgeRun, proof: Proof) -> Steps[Deleted]:
    """Delete the points of a window.

    :raises PurgeRefused: when something has changed since the proof; nothing was deleted, and no mark is left
    :raises ArchiveMismatch: when the last certificate is damaged, before anything is deleted, or when the neighbours have
        lost points
    :raises PartialWrite: when points are still there after the delete
    """
    spec = run.spec
    try:
        announced = yield from _prepare(run, proof)
    except InfluxRollupError:
        yield from release_claim(proof.folder, proof.claim)
        raise
    try:
        yield from _say(spec, proof, announced)
        yield from require_unchanged(run, proof.window, proof.tiers)
        before = yield from _count_neighbours(spec, proof.window)
        if proof.source.total.rows:
            yield from begin_delete(proof.folder, proof.claim, run.info, run.now())
        yield from _require_turn(proof)
        if proof.source.total.rows:
            yield from _look_once_more(spec, proof)
    except InfluxRollupError as error:
        yield from _give_up(spec, proof, announced, error)
        raise
    left = 0
    if proof.source.total.rows:
        yield from _delete_first(spec, proof, announced)
    with once_deleted(DELETED, RERUN):
        if proof.source.total.rows:
            announced = yield from _say_once_more(spec, proof, announced)
            left = yield from _delete_rest(spec, proof)
        after = yield from _count_neighbours(spec, proof.window)
    yield from _require_neighbours(run, proof, before, after)
    return Deleted(announced, left, (before, after))


def _give_up(spec: PurgeSpec, proof: Proof, announced: Announced, error: InfluxRollupError) -> Steps[None]:
    """This run has sent no delete, and sends none."""
    if error.permanent:
        yield from take_back(spec, proof, announced)
    elif not isinstance(error, StoreError):
        # what passes leaves all else as it is, and a rerun resumes
        yield from end_delete(proof.folder, proof.claim)


def _prepare(run: PurgeRun, proof: Proof) -> Steps[Announced]:
    """The announcement that precedes a delete."""
    archive, manifest = run.spec.archive, proof.published.manifest
    mark_before = yield from mark_of(archive, proof.window)
    if mark_before is not None:
        # one record: under the name that the bucket had, and with its id from now on
        mark_before = replace(mark_before, bucket_id=proof.plan.bucket.id)
    if proof.is_going_on and proof.before is not None:
        # what the earlier try has proven is older than this one
        state = replace(proof.before, claim=proof.claim)
        mark = replace(mark_before, purge_id=state.purge_id) if mark_before else None
    else:
        number = yield from require_last(archive.folder)
        state = PurgeState(
            generation=manifest.generation,
            state=DELETING,
            purge_id=purge_id_of(run, proof),
            certificate=number,
            proof=proof.document(run),
            claim=proof.claim,
        )
        mark = None
    if mark is None and manifest.content.total.rows:
        mark = _mark(archive, proof, state.purge_id)
        mark = replace(mark, bucket=mark_before.bucket) if mark_before else mark
    # after the last certificate was read: that of a later run comes after it, and is found when this one gives up
    yield from _require_turn(proof)
    return Announced(state, mark, mark_before)


def _say(spec: PurgeSpec, proof: Proof, announced: Announced) -> Steps[None]:
    """Say in the ledger and beside the archive what is going to be deleted, before anything is."""
    if announced.mark is not None:
        yield from ask(Write(spec.archive.ledger_bucket, [encode_mark(announced.mark)]))
    # after the mark: as soon as there is a document, what is left in the bucket may be a part
    yield from write_purge(proof.folder, announced.state)


def _say_once_more(spec: PurgeSpec, proof: Proof, announced: Announced) -> Steps[Announced]:
    """Whoever has taken it back meanwhile, as long as the points were there, did so before they went.

    An erasure may have written the generation again. It says so after that too, so that one of the two is the last.
    """
    yield from _require_latest(proof, announced)
    while True:
        announced = yield from standing(proof.folder, announced)
        yield from _say(spec, proof, announced)
        if (yield from standing(proof.folder, announced)) == announced:
            return announced


def _require_latest(proof: Proof, announced: Announced) -> Steps[None]:
    """Leave the certificate of a later generation as it is: the points that this run has proven went with it.

    :raises PartialWrite: when another run has archived the window again, and purged it, while this one hung
    """
    stored = yield from read_purge(proof.folder)
    if stored is None or stored.state != DONE or stored.claim <= proof.claim:
        return
    if stored.generation > announced.state.generation:
        yield from end_delete(proof.folder, proof.claim)
        what = (
            f"another run has purged generation {stored.generation} of the window since this one looked last, and proved "
            f"generation {announced.state.generation}"
        )
        written = f"no certificate; certificate {stored.certificate} of the other run stands"
        raise PartialWrite(
            what,
            window=proof.window,
            written=written,
            fix="run the purge again: it ends with that certificate",
        )


def _require_turn(proof: Proof) -> Steps[None]:
    """Leave the window to a run that has claimed it since.

    :raises PurgeRefused: when there is one
    """
    if not (yield from holds_claim(proof.folder, proof.claim)):
        what = "another run has begun to purge or to restore the window, or to erase series of it"
        raise refused(what, proof.window, "run it again when that run has ended")


def _mark(archive: ArchiveSpec, proof: Proof, purge_id: str) -> PurgeMark:
    return PurgeMark(
        bucket=archive.bucket,
        measurement=archive.measurement,
        window=proof.window,
        state=MARK_DELETING,
        generation=proof.published.manifest.generation,
        compared_at=proof.begun_at,
        pipelines=tuple(tier.pipeline for tier in proof.tiers),
        bucket_id=proof.plan.bucket.id,
        purge_id=purge_id,
    )


def _look_once_more(spec: PurgeSpec, proof: Proof) -> Steps[None]:
    """The last look before the delete: what comes after it, and before the delete, cannot be known."""
    if proof.is_going_on:
        require_all_archived((yield from compare_rest(spec, proof)), proof.window)
        return
    source = yield from fingerprint_source(spec.archive, proof.plan)
    differences = source.differences(proof.source, "the bucket", "the archive")
    if differences:
        what = f"points came or changed while the purge began: {few(differences, MAX_NAMED)}"
        raise refused(what, proof.window, "archive the window again, then purge it")


def _delete_first(spec: PurgeSpec, proof: Proof, announced: Announced) -> Steps[None]:
    """The first delete; one that the server refuses for good, so that no point has gone, leaves no mark either."""
    try:
        yield from ask(_delete(spec, proof.window))
    except InfluxRollupError as error:
        if error.permanent and not proof.is_going_on:
            source = yield from fingerprint_source(spec.archive, proof.plan)
            if source == proof.source:
                yield from take_back(spec, proof, announced)
                raise
        error.written = error.written or MAYBE_DELETED
        raise


def _delete(spec: PurgeSpec, window: Interval) -> Delete:
    return Delete(spec.archive.bucket, window, spec.archive.measurement)


def _delete_rest(spec: PurgeSpec, proof: Proof) -> Steps[int]:
    """Look at what the delete left; what is in the archive is deleted again, what came late stays.

    :return: how many points are there, when some came late
    """
    rows: list[int] = []
    for _ in range(MAX_ROUNDS):
        rows = yield from count_each(_source(spec), [part.interval for part in proof.plan.slices])
        if not sum(rows):
            return 0
        rest = yield from compare_rest(spec, proof)
        if rest.others:
            yield from ask(
                Report(
                    f"Window {proof.window}: {rest.others:,} points came after the last look and are still in the bucket: "
                    f"{'; '.join(rest.examples)}. Archive the window again",
                    "warning",
                )
            )
            return rest.equal + rest.others
        yield from ask(_delete(spec, proof.window))
    what = f"{sum(rows):,} points are still there after they were deleted {MAX_ROUNDS} times"
    raise PartialWrite(
        what, window=proof.window, written="no certificate", fix="run it again: it continues where it stopped"
    )


def _neighbours_of(window: Interval) -> tuple[Interval | None, Interval | None]:
    """The windows beside, as far as there can be points."""
    return (
        storable_part(Interval(window.start - window.duration, window.start)),
        storable_part(Interval(window.stop, window.stop + window.duration)),
    )


def _source(spec: PurgeSpec) -> RollupSource:
    return RollupSource(spec.archive.bucket, spec.archive.measurement, {})


def _count_neighbours(spec: PurgeSpec, window: Interval) -> Steps[tuple[int, int]]:
    beside = _neighbours_of(window)
    counts = iter((yield from count_each(_source(spec), [one for one in beside if one is not None])))
    before, after = (0 if one is None else next(counts) for one in beside)
    return before, after


def _require_neighbours(
    run: PurgeRun, proof: Proof, before: tuple[int, int], after: tuple[int, int]
) -> Steps[None]:
    """The windows beside must have lost nothing, but for what another purge or retention takes.

    :raises ArchiveMismatch: when they have
    """
    for neighbour, then, there in zip(_neighbours_of(proof.window), before, after, strict=True):
        if neighbour is None or there >= then or is_too_old(neighbour, proof.plan.bucket, run.now()):
            continue
        marks = yield from find_marks(run.spec.archive, neighbour)
        if any(mark.window != proof.window for mark in marks):
            continue
        what = f"{neighbour}, beside the window, had {then:,} points before the delete and has {there:,} after it"
        fix = "find out who else deletes points there, and restore them; then run it again"
        raise ArchiveMismatch(what, window=proof.window, written="no certificate", fix=fix)
