"""Delete the points of windows that are archived, proven, old and at rest, and certify that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from airflow_provider_influx_rollup.archive.certificate import PURGE, Certificate
from airflow_provider_influx_rollup.archive.signing_key import SigningKey
from airflow_provider_influx_rollup.exceptions import InfluxRollupError, PurgeRefused, WindowNotDue
from airflow_provider_influx_rollup.hashing import combine_checksums
from airflow_provider_influx_rollup.ledger.codec import encode_receipts
from airflow_provider_influx_rollup.ledger.purges import PURGED, encode_certificate, encode_mark
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.archive.begun import not_ended
from airflow_provider_influx_rollup.lifecycle.archive_files.begun_deletes import begun_deletes, end_delete
from airflow_provider_influx_rollup.lifecycle.archive_files.certificates import (
    add_certificate,
    find_by_purge,
    later_purge,
    read_numbered,
)
from airflow_provider_influx_rollup.lifecycle.archive_files.place import find_place
from airflow_provider_influx_rollup.lifecycle.archive_files.purge_state import (
    DONE,
    read_purge,
    write_purge,
)
from airflow_provider_influx_rollup.lifecycle.archive_files.window_claims import forget_claims
from airflow_provider_influx_rollup.lifecycle.ledger.bucket import ensure_ledger
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import signed
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import load_stored
from airflow_provider_influx_rollup.lifecycle.purge.delete import (
    DELETED,
    NOTHING_DELETED,
    RERUN,
    Deleted,
    delete_window,
)
from airflow_provider_influx_rollup.lifecycle.purge.given_up import (
    Announced,
    require_marked,
    say_by,
    standing,
)
from airflow_provider_influx_rollup.lifecycle.purge.proof import Finished, Proof, prove
from airflow_provider_influx_rollup.lifecycle.purge.purge_run import PurgeRun
from airflow_provider_influx_rollup.lifecycle.purge.spec import STAGE, PurgeSpec
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.window_errors import (
    about_window,
    failures_as_one,
    once_deleted,
    unless_told,
)
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Progressed, Report, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

MAX_LISTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """One window that has no points any more, or would have none.

    :param certificate: None in a dry run, and of a window that was never archived and has no points
    :param is_new: whether this run deleted it
    """

    window: Interval
    generation: int = 0
    rows: int = 0
    series: int = 0
    checksum: str = ""
    left: int = 0
    certificate: Certificate | None = None
    is_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeResult:
    """Results of a run's windows.

    :param interval: from the first window to the last; None when there was none
    :param refused: windows that would be refused, with the reason; only in a dry run
    """

    spec: PurgeSpec
    interval: Interval | None
    purged: tuple[Purged, ...]
    refused: tuple[tuple[Interval, str], ...]
    dry_run: bool
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Small JSON for XCom."""
        archive = self.spec.archive
        certified = [(one.window, one.certificate) for one in self.purged if one.certificate is not None]
        return {
            "window": self.interval.as_json() if self.interval is not None else None,
            "windows": len(self.purged),
            "rows_in": sum(one.rows for one in self.purged),
            "rows_out": sum(one.left for one in self.purged),
            "series": max((one.series for one in self.purged), default=0),
            "checksum": combine_checksums(one.checksum for one in self.purged),
            "generation": max((one.generation for one in self.purged), default=0),
            "new": sum(1 for one in self.purged if one.is_new),
            "state": State.PLANNED.value if self.dry_run else State.COMMITTED.value,
            "certificates": [
                {"window": window.as_json(), "number": certificate.number, "sha256": certificate.sha256}
                for window, certificate in certified[:MAX_LISTED]
            ],
            "refused": [
                {"window": window.as_json(), "why": why} for window, why in self.refused[:MAX_LISTED]
            ],
            "path": f"{archive.shown_path}/{archive.folder}",
            "dry_run": self.dry_run,
            "seconds": round(self.seconds, 3),
            "pipeline": self.spec.pipeline,
        }


def purge(
    spec: PurgeSpec,
    windows: Sequence[Interval],
    run: RunInfo,
    now: Clock,
    *,
    key: SigningKey | None = None,
    dry_run: bool = False,
) -> Steps[PurgeResult]:
    """Delete windows one after the other; what is refused for one does not stop the others.

    :param windows: in ascending order; of none nothing is done
    :param run: who runs it
    :param now: the clock, aware UTC
    :param key: signs the certificates; None leaves them unsigned
    :param dry_run: prove, and tell what would go; write and delete nothing
    :raises PurgeRefused: when a proof is not complete; nothing of that window was deleted
    :raises WindowNotDue: when a window is younger than ``min_age``
    :raises WindowsFailed: when there are several windows, and some or all were refused; the others are purged
    """
    began = now()
    if not windows:
        return PurgeResult(spec=spec, interval=None, purged=(), refused=(), dry_run=dry_run, seconds=0.0)
    if not dry_run:
        yield from ensure_ledger(spec.archive.ledger_bucket, windows[0])
    archive, lines = yield from find_place(spec.archive)
    spec = replace(spec, archive=archive)
    if lines and not dry_run:
        yield from ask(Write(archive.ledger_bucket, lines))
    stored = yield from load_stored(archive.ledger_bucket)
    whole = PurgeRun(spec=spec, info=run, now=now, stored=stored, key=key, dry_run=dry_run)
    done: list[Purged] = []
    failed: dict[Interval, InfluxRollupError] = {}
    for number, window in enumerate(windows):
        yield from ask(Progressed(message="windows purged or refused", done=number, total=len(windows)))
        try:
            with about_window(window), unless_told("nothing" if dry_run else NOTHING_DELETED):
                one = yield from _purge_window(whole, window)
        except (PurgeRefused, WindowNotDue) as error:
            failed[window] = error
            yield from ask(Report(f"Window {window} is not purged: {error}", "warning"))
            continue
        done.append(one)
    if failed and not dry_run:
        raise failures_as_one(windows, failed, None, len(done), names_each=True)
    return PurgeResult(
        spec=spec,
        interval=Interval.spanning(windows),
        purged=tuple(done),
        refused=tuple((window, str(error)) for window, error in failed.items()),
        dry_run=dry_run,
        seconds=(now() - began).total_seconds(),
    )


def _purge_window(run: PurgeRun, window: Interval) -> Steps[Purged]:
    proof = yield from prove(run, window)
    if isinstance(proof, Finished):
        if not proof.certificate:
            yield from ask(Report(f"Window {window}: no points, and no archive of any: nothing to purge"))
            return Purged(window=window)
        certificate = yield from read_numbered(run.spec.archive.folder, proof.certificate)
        if not run.dry_run:
            yield from require_marked(run.spec, window, certificate)
        yield from ask(Report(f"Window {window}: purged before, certificate {certificate.number}"))
        return _purged(window, certificate, is_new=False)
    if run.dry_run:
        total, series = proof.source.total, proof.source.series_count
        generation = proof.published.manifest.generation
        yield from ask(
            Report(
                f"Window {window}: would delete {total.rows:,} points of {series:,} series; "
                f"generation {generation} of the archive holds them"
            )
        )
        return Purged(
            window=window, generation=generation, rows=total.rows, series=series, checksum=total.hash
        )
    deleted = yield from delete_window(run, proof)
    with once_deleted(DELETED, RERUN):
        certificate = yield from _certify(run, proof, deleted)
    return _purged(window, certificate, is_new=True)


def _certify(run: PurgeRun, proof: Proof, deleted: Deleted) -> Steps[Certificate]:
    """Write the certificate, unless a run that died has, and then that the purge is done."""
    archive, state = run.spec.archive, deleted.announced.state
    certificate, last = yield from find_by_purge(archive.folder, state.about(proof.window), state.certificate)
    if certificate is None:
        body = _body(run, proof, deleted)
        certificate = yield from add_certificate(archive.folder, body, run.key, last)
    values, path = certificate.values, f"{archive.shown_path}/{certificate.about}"
    known = encode_certificate(values, certificate.sha256, path, certificate.data)
    # before: a rerun of a purge that is done does not come here
    yield from end_delete(proof.folder, proof.claim)
    if (yield from _is_overtaken(run.spec, proof, deleted.announced, certificate)):
        # what the later purge has said stays: this one's points are a part of its generation
        yield from ask(Write(archive.ledger_bucket, [known]))
    else:
        lines = [known, *encode_receipts([_receipt(run, proof, certificate)])]
        yield from _say_done(run.spec, proof, deleted.announced, certificate.number, lines)
    yield from forget_claims(proof.folder, proof.claim)
    for begun in (yield from begun_deletes(archive.folder, [proof.window])):
        yield from ask(Report(not_ended(begun), "warning"))
    yield from ask(
        Report(
            f"Window {proof.window}: {values['deleted']['rows']:,} points of {archive.bucket}/{archive.measurement} are "
            f"deleted, generation {state.generation} of the archive holds them; certificate {certificate.number}"
        )
    )
    return certificate


def _is_overtaken(
    spec: PurgeSpec, proof: Proof, announced: Announced, certificate: Certificate
) -> Steps[bool]:
    """Whether another run has purged a later generation since this one began to delete, or has begun to.

    A compaction removes what the window's folder says of that; the certificates stay.
    """
    state = announced.state
    stored = yield from read_purge(proof.folder)
    if stored is not None and stored.claim > proof.claim and stored.generation > state.generation:
        # an erasure that wrote the generation again has left the purge's id
        return stored.purge_id != state.purge_id
    later = yield from later_purge(spec.archive.folder, certificate, state.certificate)
    if later is not None and stored is not None and stored.claim == proof.claim:
        # this run hung before it said what it had deleted, and said it over the word of that one
        yield from say_by(spec, proof, announced, later)
    return later is not None


def _say_done(
    spec: PurgeSpec, proof: Proof, announced: Announced, number: int, lines: Sequence[str]
) -> Steps[None]:
    """Say that the purge is done, by the generation that stands for the points now.

    :param number: of the certificate
    :param lines: what else is written to the ledger
    """
    while True:
        announced = yield from standing(proof.folder, announced)
        state, mark = announced.state, announced.mark
        marked = [encode_mark(replace(mark, state=PURGED))] if mark is not None else []
        yield from ask(Write(spec.archive.ledger_bucket, [*lines, *marked]))
        # last: until then a rerun resumes, and finds the certificate
        yield from write_purge(proof.folder, replace(state, state=DONE, certificate=number, proof={}))
        if (yield from standing(proof.folder, announced)) == announced:
            return


def _body(run: PurgeRun, proof: Proof, deleted: Deleted) -> dict[str, Any]:
    (before_left, before_right), (after_left, after_right) = deleted.neighbours
    state = deleted.announced.state
    known = state.proof
    checks = {
        **known["checks"],
        "left_in_bucket": deleted.left,
        "neighbours": {
            "before": {"then": before_left, "after": after_left},
            "after": {"then": before_right, "after": after_right},
        },
    }
    body = {
        **known,
        "kind": PURGE,
        "purge_id": state.purge_id,
        "ended_at": format_instant(run.now()),
        "checks": checks,
    }
    if proof.is_going_on:
        body["finished_by"] = asdict(run.info)
    return body


def _receipt(run: PurgeRun, proof: Proof, certificate: Certificate) -> Receipt:
    deleted = certificate.values["deleted"]
    ended = run.now()
    made = Receipt(
        pipeline=run.spec.pipeline,
        stage=STAGE,
        window=proof.window,
        state=State.COMMITTED,
        written_at=ended,
        generation=certificate.values["archive"]["generation"],
        rows_in=deleted["rows"],
        rows_out=certificate.values["checks"]["left_in_bucket"],
        series=deleted["series"],
        checksum=deleted["hash"],
        seconds=(ended - proof.begun_at).total_seconds(),
    )
    return signed(made, run.info)


def _purged(window: Interval, certificate: Certificate, *, is_new: bool) -> Purged:
    values = certificate.values
    deleted = values["deleted"]
    return Purged(
        window=window,
        generation=values["archive"]["generation"],
        rows=deleted["rows"],
        series=deleted["series"],
        checksum=deleted["hash"],
        left=values["checks"]["left_in_bucket"],
        certificate=certificate,
        is_new=is_new,
    )
