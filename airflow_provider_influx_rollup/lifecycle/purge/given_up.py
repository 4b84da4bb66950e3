"""A purge that is not gone through with: what it has said is taken back, but never what another run says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.archive.certificate import Certificate
from airflow_provider_influx_rollup.archive.paths import window_folder
from airflow_provider_influx_rollup.ledger.purges import LIFTED, PURGED, PurgeMark, encode_mark
from airflow_provider_influx_rollup.lifecycle.archive.purged import find_marks
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.archive_files.begun_deletes import end_delete
from airflow_provider_influx_rollup.lifecycle.archive_files.certificates import find_by_purge
from airflow_provider_influx_rollup.lifecycle.archive_files.generations import standing_generation
from airflow_provider_influx_rollup.lifecycle.archive_files.purge_state import (
    DONE,
    PurgeState,
    read_purge,
    write_purge,
)
from airflow_provider_influx_rollup.lifecycle.archive_files.window_claims import holds_claim, release_claim
from airflow_provider_influx_rollup.lifecycle.purge.proof import Proof
from airflow_provider_influx_rollup.lifecycle.purge.spec import PurgeSpec
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import FindBucket, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True)
class Announced:
    """The announcement before a delete.

    :param state: of the purge, beside the archive
    :param mark: in the ledger; None when the archive has no point, so that nothing can be lost
    :param mark_before: that of an earlier purge
    """

    state: PurgeState
    mark: PurgeMark | None
    mark_before: PurgeMark | None


def standing(folder: str, announced: Announced) -> Steps[Announced]:
    """The same by the generation that stands for the points now: an erasure may have written it again.

    :param folder: of the window
    """
    state, mark = announced.state, announced.mark
    generation = yield from standing_generation(folder, state.generation)
    return replace(
        announced,
        state=replace(state, generation=generation),
        mark=replace(mark, generation=generation) if mark is not None else None,
    )


def take_back(spec: PurgeSpec, proof: Proof, announced: Announced) -> Steps[None]:
    """Nothing was deleted by this run; what an earlier one has deleted, or a later one is about to, stays marked."""
    yield from end_delete(proof.folder, proof.claim)
    has_turn = yield from holds_claim(proof.folder, proof.claim)
    if has_turn and proof.is_going_on:
        return
    state = yield from read_purge(proof.folder)
    mark = yield from mark_of(spec.archive, proof.window)
    is_own_state = state is not None and state.claim == proof.claim
    is_own_mark = announced.mark is not None and mark is not None and mark.purge_id == announced.mark.purge_id
    if not has_turn:
        if is_own_state or is_own_mark:
            yield from _leave(spec, proof, announced)
        return
    if is_own_state:
        yield from write_purge(proof.folder, proof.before)
    if is_own_mark and announced.mark is not None:
        before = announced.mark_before or replace(announced.mark, state=LIFTED)
        yield from ask(Write(spec.archive.ledger_bucket, [encode_mark(before)]))
    yield from release_claim(proof.folder, proof.claim)


def _leave(spec: PurgeSpec, proof: Proof, announced: Announced) -> Steps[None]:
    """A later run has the window. If it has ended already, what it said last is said again."""
    state = announced.state
    certificate, _ = yield from find_by_purge(
        spec.archive.folder, state.about(proof.window), state.certificate
    )
    if certificate is not None:
        yield from say_by(spec, proof, announced, certificate)


def say_by(spec: PurgeSpec, proof: Proof, announced: Announced, certificate: Certificate) -> Steps[None]:
    """Say again what another run said last, which has ended with a certificate."""
    generation = yield from standing_generation(proof.folder, certificate.values["archive"]["generation"])
    if announced.mark is not None:
        mark = _mark_by(announced.mark, certificate.values, generation)
        yield from ask(Write(spec.archive.ledger_bucket, [encode_mark(mark)]))
    yield from write_purge(proof.folder, _done(proof.claim, certificate, generation))


def _done(claim: int, certificate: Certificate, generation: int) -> PurgeState:
    values = certificate.values
    return PurgeState(
        generation=generation,
        state=DONE,
        purge_id=values["purge_id"],
        certificate=certificate.number,
        proof={},
        claim=claim,
    )


def require_marked(spec: PurgeSpec, window: Interval, certificate: Certificate) -> Steps[None]:
    """Mark a window again that was purged, and has no point: a run that was cut may have left another mark."""
    values = certificate.values
    if not values["archive"]["content"]["rows"]:
        return
    archive = spec.archive
    mark = yield from mark_of(archive, window)
    if mark is not None and mark.state == PURGED:
        return
    if mark is None:
        bucket = yield from ask(FindBucket(archive.bucket))
        bucket_id = bucket.id if bucket else ""
        begun_at = datetime.fromisoformat(values["begun_at"])
        mark = PurgeMark(
            bucket=archive.bucket,
            measurement=archive.measurement,
            window=window,
            state=PURGED,
            generation=0,
            compared_at=begun_at,
            bucket_id=bucket_id,
        )
    folder = window_folder(archive.folder, window)
    generation = yield from standing_generation(folder, values["archive"]["generation"])
    yield from ask(Write(archive.ledger_bucket, [encode_mark(_mark_by(mark, values, generation))]))


def mark_of(archive: ArchiveSpec, window: Interval) -> Steps[PurgeMark | None]:
    """The mark of a purge of exactly this window."""
    known = yield from find_marks(archive, window)
    return next((mark for mark in known if mark.window == window), None)


def _mark_by(mark: PurgeMark, values: Mapping[str, Any], generation: int) -> PurgeMark:
    """A mark of the window as that of a purge that is certified.

    :param generation: that stands for the points now
    """
    return replace(
        mark,
        state=PURGED,
        generation=generation,
        compared_at=datetime.fromisoformat(values["begun_at"]),
        pipelines=tuple(tier["pipeline"] for tier in values["tiers"]),
        purge_id=values["purge_id"],
    )
