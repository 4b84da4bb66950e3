"""The proof that nothing is lost when a window is deleted: its archive, its source, its age, what was made of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.archive.catalog import compacted_of
from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
from airflow_provider_influx_rollup.archive.paths import window_folder
from airflow_provider_influx_rollup.exceptions import (
    ArchiveMismatch,
    ArchiveMissing,
    InfluxRollupError,
    WindowNotDue,
)
from airflow_provider_influx_rollup.hashing import text_hash
from airflow_provider_influx_rollup.lifecycle.archive.purged import find_marks
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import Published, newest_generation
from airflow_provider_influx_rollup.lifecycle.archive_files.moved import PointsPlace, verify_held
from airflow_provider_influx_rollup.lifecycle.archive_files.purge_state import (
    DELETING,
    DONE,
    PurgeState,
    read_purge,
    write_purge,
)
from airflow_provider_influx_rollup.lifecycle.archive_files.window_claims import claim_window, release_claim
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks import lift_marks, put_back_marks
from airflow_provider_influx_rollup.lifecycle.purge.purge_run import PurgeRun
from airflow_provider_influx_rollup.lifecycle.purge.spec import PurgeSpec, refused
from airflow_provider_influx_rollup.lifecycle.purge.tiers import ProvenArchive, TierProof, prove_tiers
from airflow_provider_influx_rollup.lifecycle.run.margins import WORKER_CLOCKS_DIFFER
from airflow_provider_influx_rollup.lifecycle.source.pieces import read_slices
from airflow_provider_influx_rollup.lifecycle.source.whole_read import (
    ReadPlan,
    fingerprint_source,
    plan_read,
    points_source,
    require_known,
)
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import CompareParts
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

MAX_NAMED = 3
FIX_ARCHIVE = "archive the window again, then purge it"
FIX_RESTORE = "restore the window when its points are to come back, and archive it again, then purge it"


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Evidence about a window that may be deleted.

    :param held: the newest generation, and whose files hold it
    :param source: what the bucket holds
    :param tiers: what the required pipelines hold
    :param before: the state of an earlier purge
    :param begun_at: when the proof began; nothing that it says is older
    :param claim: under which this run deletes
    :param is_going_on: a run has begun to delete and died; what is left is all in the archive
    """

    window: Interval
    folder: str
    plan: ReadPlan
    held: PointsPlace
    source: Fingerprint
    tiers: tuple[TierProof, ...]
    before: PurgeState | None
    begun_at: datetime
    claim: int = 0
    is_going_on: bool = False

    @property
    def published(self) -> Published:
        """The newest generation."""
        return self.held.published

    def document(self, run: PurgeRun) -> dict[str, Any]:
        """The entry of a certificate."""
        manifest = self.published.manifest
        spec, before = run.spec, self.before
        archive = spec.archive
        cut: dict[str, Any] = {}
        if before is not None and before.state == DELETING:
            cut["interrupted"] = {
                "purge_id": before.purge_id,
                "generation": before.generation,
                "deleted_at_most": before.proof.get("deleted", {}),
            }
        return {
            **cut,
            # as the folder says: a chain of certificates continues when the bucket is renamed
            "org": archive.kept_names[0],
            "bucket": archive.kept_names[1],
            "bucket_id": self.plan.bucket.id,
            "measurement": archive.measurement,
            "window": self.window.as_json(),
            "begun_at": format_instant(self.begun_at),
            "run": asdict(run.info),
            "deleted": self.source.as_json(),
            "archive": {
                "path": archive.shown_path,
                "folder": self.published.folder,
                "generation": manifest.generation,
                "manifest_sha256": self.published.sha256,
                "content": manifest.content.as_json(),
                "files": [asdict(part) for part in manifest.parts],
            },
            "tiers": [tier.as_json() for tier in self.tiers],
            "checks": {
                "files_read_back": len(manifest.parts),
                "source_equals_archive": True,
                "unchanged_since": manifest.created_at,
                "min_age": spec.min_age,
                "quiet_for": spec.quiet_for,
            },
        }


@dataclass(frozen=True, slots=True)
class RemainingPoints:
    """Points of a bucket in a window that is being deleted.

    :param equal: points that are in the archive, value included
    :param others: points that are not
    :param examples: some of these, for people
    """

    equal: int
    others: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """A window that has no points.

    :param certificate: number of that of its purge; 0 when there never was an archive of it
    """

    window: Interval
    certificate: int


def prove(run: PurgeRun, window: Interval) -> Steps[Proof | Finished]:
    """Collect the proof of one window; nothing is written, but for marks of points that are back.

    :raises WindowNotDue: when it is younger than ``min_age``
    :raises PurgeRefused: naming what is missing
    :raises ConfigurationError: when neither the bucket nor the archive knows the measurement
    """
    spec, begun_at = run.spec, run.now()
    _require_age(spec, window, begun_at)
    folder = window_folder(spec.archive.folder, window)
    try:
        opened = yield from _open(run, window, folder)
        if isinstance(opened, Finished):
            return opened
    except (ArchiveMismatch, ArchiveMissing) as error:
        raise refused(error.what, window, error.fix or FIX_ARCHIVE) from error
    try:
        proof = yield from _look(spec, window, opened, begun_at)
        if proof.is_going_on:
            return proof
        return (yield from _with_tiers(run, proof))
    except InfluxRollupError:
        yield from release_claim(folder, opened.claim)
        raise


def _look(spec: PurgeSpec, window: Interval, opened: _Opened, begun_at: datetime) -> Steps[Proof]:
    """Compare the archive's files with their manifest, and the bucket with both."""
    try:
        held = yield from _verified(spec, window, opened.folder, opened.published)
    except (ArchiveMismatch, ArchiveMissing) as error:
        raise refused(error.what, window, error.fix or FIX_ARCHIVE) from error
    before, plan = opened.before, opened.plan
    # with fewer than two tags a series has one key
    source = yield from fingerprint_source(spec.archive, plan, finds_doubled=len(plan.keys.tags) > 1)
    proof = Proof(
        window=window,
        folder=opened.folder,
        plan=plan,
        held=held,
        source=source,
        tiers=(),
        before=before,
        begun_at=begun_at,
        claim=opened.claim,
    )
    generation = proof.published.manifest.generation
    if before is not None and before.state == DELETING and before.generation == generation:
        return (yield from _going_on(spec, proof, before))
    return proof


def _with_tiers(run: PurgeRun, proof: Proof) -> Steps[Proof]:
    """The archive stands for the points, and the pipelines hold what is made of them."""
    spec, manifest = run.spec, proof.published.manifest
    _require_archived(proof)
    _require_restorable(proof)
    _require_quiet(spec, proof)
    if proof.source == manifest.content and not run.dry_run:
        yield from _forget(spec, proof)
    # two workers' clocks may differ a little
    unchanged_since = datetime.fromisoformat(manifest.created_at) + min(spec.rest, WORKER_CLOCKS_DIFFER)
    archived = ProvenArchive(manifest.generation, unchanged_since)
    tiers = yield from prove_tiers(run, proof.window, archived)
    return replace(proof, tiers=tuple(tiers))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A window, and how far an earlier purge of it is."""

    folder: str
    before: PurgeState | None
    published: Published | None
    plan: ReadPlan
    claim: int


def _open(run: PurgeRun, window: Interval, folder: str) -> Steps[_Opened | Finished]:
    """Claim the window, unless there is nothing to delete, and look how far an earlier purge is."""
    archive = run.spec.archive
    before = yield from read_purge(folder)
    if before is not None and before.state == DONE:
        plan = yield from plan_read(archive, window)
        if not plan.rows:
            return Finished(window, before.certificate)
    published = yield from newest_generation(folder)
    claim = 0
    if published is not None and not run.dry_run:
        # what another run has not said before, it does not do from now on
        claim = yield from claim_window(folder)
        before = yield from read_purge(folder)
    plan = yield from plan_read(archive, window)
    if before is not None and before.state == DONE and not plan.rows:
        return Finished(window, before.certificate)
    if published is None and not plan.rows:
        yield from require_known(archive, window, plan.keys)
        return Finished(window, 0)
    return _Opened(folder=folder, before=before, published=published, plan=plan, claim=claim)


def _verified(
    spec: PurgeSpec, window: Interval, folder: str, published: Published | None
) -> Steps[PointsPlace]:
    """The place of the newest generation's points, after they were read from the files.

    :raises PurgeRefused: when there is none, or it is not what may be purged
    :raises ArchiveMismatch: when the files do not hold exactly what its manifest says
    """
    if published is None:
        what = f"there is no archive of the window in {spec.archive.shown_path}/{folder}"
        raise refused(what, window, "archive it first, with the same path and the same every")
    if compacted_of(published.manifest):
        what = "the window was compacted from smaller ones, which are those to purge"
        raise refused(what, window, "use the every, offset and timezone with which they are archived")
    held, content = yield from verify_held(published)
    if content != published.manifest.content:
        what = f"{held.holder.folder} does not hold generation {published.manifest.generation} as its manifest says"
        raise refused(what, window, FIX_ARCHIVE)
    return held


def compare_rest(spec: PurgeSpec, proof: Proof) -> Steps[RemainingPoints]:
    """Compare the bucket's points of the window with the archive, point by point."""
    equal = others = 0
    examples: list[str] = []
    source = points_source(spec.archive, proof.plan)
    for part in proof.plan.slices:
        (found,) = yield from read_slices(
            source, [part], lambda one, points: CompareParts(points, (proof.held.paths,), one.interval)
        )
        equal += found.equal
        others += found.changed + found.unknown
        examples += found.examples
    return RemainingPoints(equal, others, tuple(examples[:MAX_NAMED]))


def require_all_archived(rest: RemainingPoints, window: Interval) -> None:
    """Refuse to delete points that the archive does not hold as they are.

    :raises PurgeRefused: with some of them
    """
    if rest.others:
        named = "; ".join(rest.examples)
        what = f"{rest.others:,} points came or changed since the archive was made: {named}"
        raise refused(what, window, FIX_ARCHIVE)


def purge_id_of(run: PurgeRun, proof: Proof) -> str:
    """16 hex digits that no other purge has."""
    begun_at = proof.begun_at.isoformat()
    text = f"{run.spec.archive.folder}\0{proof.window}\0{asdict(run.info)}\0{begun_at}\0{proof.claim}"
    return f"{text_hash(text, 'purge'):016x}"


def _require_age(spec: PurgeSpec, window: Interval, now: datetime) -> None:
    due = spec.due_at(window)
    if now < due:
        what = (
            f"the window may be purged from {format_instant(due)} on: min_age={spec.min_age} has not passed"
        )
        fix = "run it after that, or purge earlier windows: give a longer delay, or a shorter min_age"
        raise WindowNotDue(what, window=window, written="nothing was deleted", fix=fix)


def _require_archived(proof: Proof) -> None:
    """The bucket holds what the newest generation was made of, or all that it holds."""
    manifest = proof.published.manifest
    if proof.source in (manifest.source, manifest.content):
        return
    differences = proof.source.differences(manifest.source, "the bucket", "the archive")
    named = few(differences, MAX_NAMED)
    what = f"the bucket has changed since generation {manifest.generation} was made of it: {named}"
    lacks = proof.source.lacks_points_of(manifest.content)
    raise refused(what, proof.window, FIX_RESTORE if lacks else FIX_ARCHIVE)


def _require_restorable(proof: Proof) -> None:
    """A write makes one point of those that share series, field and time: the others would be gone for good."""
    source = proof.source
    if not source.doubled:
        return
    what = (
        f"a restore could not bring {source.doubled:,} points back: their series has several of one field at one time, "
        f"under two orders of the tags: {'; '.join(source.doubled_series[:MAX_NAMED])}"
    )
    fix = (
        "delete the points of these series and write the right ones again by line protocol, which sorts tags; "
        f"then {FIX_ARCHIVE}"
    )
    raise refused(what, proof.window, fix)


def _require_quiet(spec: PurgeSpec, proof: Proof) -> None:
    """The newest generation still equals the source, so that nothing is known to have changed since it was made."""
    manifest = proof.published.manifest
    quiet_at = datetime.fromisoformat(manifest.created_at) + spec.rest
    if proof.begun_at < quiet_at:
        what = f"generation {manifest.generation} was made at {manifest.created_at}, and quiet_for={spec.quiet_for} has not passed"
        raise refused(what, proof.window, f"run it again from {format_instant(quiet_at)} on")


def _going_on(spec: PurgeSpec, proof: Proof, before: PurgeState) -> Steps[Proof]:
    """A run has begun to delete, and has died: what it had proven holds, if all that is left is in the archive."""
    rest = yield from compare_rest(spec, proof)
    require_all_archived(rest, proof.window)
    tiers = tuple(TierProof(**values) for values in before.proof.get("tiers", ()))
    yield from ask(
        Report(
            f"Window {proof.window}: going on with a purge that was cut, {proof.source.total.rows:,} points are left"
        )
    )
    return replace(proof, tiers=tiers, is_going_on=True)


def _forget(spec: PurgeSpec, proof: Proof) -> Steps[None]:
    """All points of an earlier purge are in the bucket: what is made of them can be computed and compared again."""
    archive = spec.archive
    marks = yield from find_marks(archive, proof.window)
    # a younger mark may be that of a run which is about to delete
    if any(proof.begun_at - mark.compared_at < WORKER_CLOCKS_DIFFER for mark in marks):
        return
    if marks:
        yield from lift_marks(archive.ledger_bucket, marks, proof.window)
    if proof.before is not None:
        yield from write_purge(proof.folder, None)
    if not marks and proof.before is None:
        return
    source = yield from fingerprint_source(archive, proof.plan)
    if source == proof.source:
        return
    if marks:
        yield from put_back_marks(archive.ledger_bucket, marks)
    if proof.before is not None:
        yield from write_purge(proof.folder, proof.before)
    what = "points went or changed while the window was proven"
    raise refused(what, proof.window, "run it again when no other run deletes points there")
