"""Erase series everywhere: the bucket, what was made of their points, copies, and every file of the archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.archive.certificate import Certificate
from airflow_provider_influx_rollup.archive.erasure import Subject
from airflow_provider_influx_rollup.archive.signing_key import SigningKey
from airflow_provider_influx_rollup.exceptions import InfluxRollupError, SourceChanging
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.archive_files.certificates import require_last
from airflow_provider_influx_rollup.lifecycle.archive_files.place import located
from airflow_provider_influx_rollup.lifecycle.erase.archive import ARCHIVE, ATTEMPTS, ArchiveLook, RewriteRun
from airflow_provider_influx_rollup.lifecycle.erase.certificate import certify, find_certificate
from airflow_provider_influx_rollup.lifecycle.erase.clear import ErasureRun
from airflow_provider_influx_rollup.lifecycle.erase.found import ErasureFindings
from airflow_provider_influx_rollup.lifecycle.erase.look import SOURCE, Looker
from airflow_provider_influx_rollup.lifecycle.erase.put_aside import forget_settled
from airflow_provider_influx_rollup.lifecycle.erase.receipts import Restatement
from airflow_provider_influx_rollup.lifecycle.erase.scripts import with_scripts
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.lifecycle.erase.state import (
    EraseState,
    find_state,
    forget_state,
    new_state,
    write_state,
)
from airflow_provider_influx_rollup.lifecycle.erase.targets import find_readers, naming_specs
from airflow_provider_influx_rollup.lifecycle.erase.unknown import no_pipelines, unknown_readers
from airflow_provider_influx_rollup.lifecycle.erase.validated import find_validated
from airflow_provider_influx_rollup.lifecycle.ledger.bucket import ensure_ledger
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import known_name, read_stored
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.window_errors import once_deleted, unless_told
from airflow_provider_influx_rollup.lifecycle.source.buckets import require_bucket
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import FindBucket, Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import format_instant

MAX_ROUNDS = 3
ERASED = "the series are erased everywhere, and the certificate is not complete"
RERUN = "run the erasure again: it certifies what is erased"
NOT_BEGUN = "this run has deleted nothing"
# of the certificate, in the result
SHOWN = ("erase_id", "computed_again", "kept", "named_in_specs")


@dataclass(frozen=True, kw_only=True)
class EraseResult:
    """Result of an erasure, or of its dry run.

    :param found: by place
    :param certificate: None in a dry run, and when there is nothing and never was
    :param is_new: whether this run erased something
    :param aggregated: pipelines whose rows cannot be told by the tags, with the reason; those that were not looked at, when a
        run found nothing; empty when it erased
    :param named: pipelines whose spec in the ledger names a value of the tags
    """

    spec: EraseSpec
    found: ErasureFindings
    certificate: Certificate | None
    is_new: bool
    dry_run: bool
    seconds: float
    aggregated: Mapping[str, str] = field(default_factory=dict)
    named: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """Small JSON for XCom, without the tags' values."""
        archive = self.spec.archive
        points = next((one.points for one in self.found.of_kind(SOURCE)), None)
        total = points.total if points else None
        values = self.certificate.values if self.certificate else {}
        shown = {name: values[name] for name in SHOWN if name in values}
        return {
            "window": self.spec.span.as_json(),
            "windows": len({one.details["folder"] for one in self.found.of_kind(ARCHIVE)}),
            "rows_in": total.rows if total else 0,
            "rows_out": 0,
            "series": points.series_count if points else 0,
            "checksum": total.hash if total else "",
            "places": {place: one.rows for place, one in sorted(self.found.held.items())},
            "erase_id": "",
            "computed_again": {},
            "kept": {self.spec.shown(name): {"why": why} for name, why in self.aggregated.items()},
            "named_in_specs": list(self.named),
            **shown,
            "certificate": {"number": self.certificate.number, "sha256": self.certificate.sha256}
            if self.certificate
            else None,
            "new": int(self.is_new),
            "state": State.PLANNED.value if self.dry_run else State.COMMITTED.value,
            "path": f"{archive.shown_path}/{archive.folder}",
            "dry_run": self.dry_run,
            "seconds": round(self.seconds, 3),
            "pipeline": self.spec.pipeline,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseRun:
    """One run of an erasure.

    :param info: who runs it
    :param now: the clock, aware UTC
    :param versions: of the software, for manifests
    :param salt: 16 random bytes, for the hash that stands for the tags
    :param key: signs the certificate; None leaves it unsigned
    """

    info: RunInfo
    now: Clock
    versions: Mapping[str, str]
    salt: bytes
    key: SigningKey | None = None


def erase(spec: EraseSpec, by: EraseRun, *, dry_run: bool = False) -> Steps[EraseResult]:
    """Erase series everywhere, and certify it. A rerun resumes where a run was cut off.

    :param by: who erases, when, and with which key
    :param dry_run: count what there is; write and delete nothing
    :raises ConfigurationError: when the measurement, a tag or a pipeline is unknown
    :raises ArchiveMismatch: when the newest generation of a window is damaged; nothing was deleted then
    :raises SourceChanging: when others keep writing what is erased
    """
    try:
        return (yield from _erase(spec, by, dry_run=dry_run))
    except InfluxRollupError as error:
        _hide_values(spec, error)
        raise


def _erase(spec: EraseSpec, by: EraseRun, *, dry_run: bool) -> Steps[EraseResult]:
    began = by.now()
    spec = replace(spec, archive=(yield from located(spec.archive)))
    spec, left = yield from find_validated(spec)
    bucket = yield from require_bucket(spec.archive.bucket, spec.span)
    has_ledger = (yield from ask(FindBucket(spec.archive.ledger_bucket))) is not None
    stored = (yield from read_stored(spec.archive.ledger_bucket)) if has_ledger else []
    if not stored and spec.pipelines != ():
        # not only without a ledger: an erasure makes the bucket, and its next run would say nothing
        left |= yield from no_pipelines(spec.archive.ledger_bucket, has_ledger=has_ledger)
    if spec.pipelines is not None:
        spec = replace(spec, pipelines=tuple(known_name(name, stored) for name in spec.pipelines))
    left |= yield from unknown_readers(spec, stored)
    readers = yield from with_scripts(find_readers(spec, stored, left), spec, stored)
    looker = Looker(spec=spec, bucket=bucket, readers=readers, archive=ArchiveLook(spec))
    found = yield from looker.look()
    state = yield from find_state(spec)
    yield from looker.require_known(was_found=bool(found.total) or state is not None)
    yield from _tell(spec, found)
    certificate = None
    if not dry_run and (state is not None or found.total):
        with unless_told(NOT_BEGUN):
            state = yield from _begun(spec, by, state, found, began)
        rewriting = RewriteRun(
            spec=spec, erase_id=state.erase_id, info=by.info, now=by.now, versions=by.versions
        )
        clearing = ErasureRun(
            look=looker,
            rewriting=rewriting,
            restating=Restatement(erase_id=state.erase_id, stored=stored, info=by.info, now=by.now),
        )
        state = yield from _clear_all(clearing, state)
        with once_deleted(ERASED, RERUN):
            certificate = yield from certify(clearing, state, by.key)
            yield from forget_state(spec, state)
        seconds = (by.now() - began).total_seconds()
        return EraseResult(
            spec=spec,
            found=state.all_found,
            certificate=certificate,
            is_new=True,
            dry_run=dry_run,
            seconds=seconds,
        )
    if not found.total:
        certificate = yield from _nothing_found(spec)
    seconds = (by.now() - began).total_seconds()
    aggregated = looker.readers.not_by_tags if dry_run else left
    named = naming_specs(spec, stored)
    return EraseResult(
        spec=spec,
        found=found,
        certificate=certificate,
        is_new=False,
        dry_run=dry_run,
        seconds=seconds,
        aggregated=aggregated,
        named=named,
    )


def _begun(
    spec: EraseSpec, by: EraseRun, state: EraseState | None, found: ErasureFindings, began: datetime
) -> Steps[EraseState]:
    """An erasure that a run has begun, or a new one."""
    if state is None:
        yield from ensure_ledger(spec.archive.ledger_bucket, None)
        number = yield from require_last(spec.archive.folder)
        subject = Subject.of(spec.tags, by.salt)
        state = new_state(spec, subject, by.info, format_instant(began), number)
    return replace(state, found=state.found.again(found))


def _clear_all(clearing: ErasureRun, state: EraseState) -> Steps[EraseState]:
    """Delete and look again, until there is nothing; an error says what is deleted already.

    :raises SourceChanging: when points keep coming, or a run that may have read them is still at work
    """
    try:
        return (yield from _clear_rounds(clearing, state))
    except InfluxRollupError as error:
        begun = f"deleted as a whole or in part: {', '.join(clearing.begun)}; a rerun resumes"
        before = "" if error.written in (None, "", "nothing") else f"{error.written}; "
        error.written = before + (begun if clearing.begun else NOT_BEGUN)
        raise


def _clear_rounds(clearing: ErasureRun, state: EraseState) -> Steps[EraseState]:
    came = ""
    for _ in range(MAX_ROUNDS):
        # before anything is deleted: a rerun knows then what there was
        yield from write_state(clearing.spec, state)
        state = yield from clearing.clear(state)
        if clearing.writing:
            came = "runs that had read points before wrote what was made of them"
            yield from _let_end(clearing, state)
            continue
        found = yield from clearing.look.look()
        if not found.total:
            yield from forget_settled(clearing.spec, clearing.put_aside)
            try:
                yield from clearing.look.require_no_new_reader()
            except SourceChanging:
                # another run may have ended this erasure since: a rerun must know which rows of others were deleted
                yield from write_state(clearing.spec, state)
                raise
            return state
        came = _what_came(found)
        yield from ask(Report(f"{came} while the series were erased, going on", "warning"))
        state = state.next_round(found)
    what = f"{came} while the series were erased {MAX_ROUNDS} times"
    fix = "stop what writes them, then run it again: it continues where it stopped"
    raise SourceChanging(what, written="no certificate", fix=fix)


def _let_end(clearing: ErasureRun, state: EraseState) -> Steps[None]:
    """Refuse to continue while a run writes windows of the series: it may have read the points before.

    One that is at it for long is dead, or hangs: it is taken for dead when a later try finds it as it was. What those wrote
    that have ended meanwhile is deleted in the next round.

    :raises SourceChanging: naming the run
    """
    writing = yield from clearing.runs.still(clearing.writing)
    if writing:
        seen = dict.fromkeys((*state.seen, *(one.fingerprint for one in writing)))
        yield from write_state(clearing.spec, replace(state, seen=tuple(seen)))
        raise writing[0].error(clearing.spec)


def _what_came(found: ErasureFindings) -> str:
    """Series found again after everything was deleted."""
    files = found.of_kind(ATTEMPTS)
    if len(files) == len(found.held):
        windows = ", ".join(sorted({one.place.partition(" ")[2].rpartition(" ")[0] for one in files})[:3])
        return f"a run was writing files of archived windows ({windows})"
    return f"{found.total:,} points of the series came"


def _nothing_found(spec: EraseSpec) -> Steps[Certificate | None]:
    certificate = yield from find_certificate(spec)
    if certificate is None:
        text = "No point of such series is anywhere, and none was erased before: check the tags"
        yield from ask(Report(text, "warning"))
    else:
        yield from ask(Report(f"All of these series was erased before, certificate {certificate.number}"))
    return certificate


def _tell(spec: EraseSpec, found: ErasureFindings) -> Steps[None]:
    for place, one in sorted(found.held.items()):
        what = "files of a run that died, or is writing them," if place.startswith(f"{ATTEMPTS} ") else ""
        yield from ask(Report(f"{place}: {one.rows:,} {what}".rstrip() + " to erase"))
    if not found.held:
        yield from ask(Report(f"{spec.archive.bucket}/{spec.archive.measurement}: nothing to erase"))


def _hide_values(spec: EraseSpec, error: InfluxRollupError) -> None:
    """A server's message may repeat what it was asked for."""
    texts = (error.what, error.written, error.fix)
    quoted = [f"{quote}{value}{quote}" for value in spec.tags.values() for quote in ('"', "'", '\\"')]
    hidden = []
    for text in texts:
        shown = text
        for value in quoted:
            shown = shown.replace(value, '"..."') if shown else shown
        hidden.append(shown)
    error.what = hidden[0] or error.what
    error.written, error.fix = hidden[1], hidden[2]
