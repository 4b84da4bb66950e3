"""Certificate of an erasure: the erased tags as a salted hash, what was deleted in which place, which files replaced which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from airflow_provider_influx_rollup.archive.certificate import ERASE, Certificate
from airflow_provider_influx_rollup.archive.erasure import Subject
from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
from airflow_provider_influx_rollup.archive.signing_key import SigningKey
from airflow_provider_influx_rollup.ledger.purges import encode_certificate
from airflow_provider_influx_rollup.lifecycle.archive_files.certificates import (
    add_certificate,
    last_number,
    read_numbered,
)
from airflow_provider_influx_rollup.lifecycle.erase.archive import ARCHIVE, ATTEMPTS, generations_after
from airflow_provider_influx_rollup.lifecycle.erase.clear import ErasureRun
from airflow_provider_influx_rollup.lifecycle.erase.copies import COPIES, RECORDS, STATUSES
from airflow_provider_influx_rollup.lifecycle.erase.found import ErasureFindings, Holding
from airflow_provider_influx_rollup.lifecycle.erase.look import SOURCE
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.lifecycle.erase.state import EraseState
from airflow_provider_influx_rollup.lifecycle.erase.targets import TARGET, naming_specs
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant


def find_certificate(spec: EraseSpec) -> Steps[Certificate | None]:
    """The last certificate of the same erasure; None when there is none.

    :raises ArchiveMismatch: when one that was read is damaged
    """
    folder = spec.archive.folder
    for number in range((yield from last_number(folder)), 0, -1):
        found = yield from read_numbered(folder, number)
        values = found.values
        if values["kind"] != ERASE or values["window"] != spec.span.as_json():
            continue
        if Subject.from_json(values["subject"]).is_of(spec.tags):
            return found
    return None


def certify(clearing: ErasureRun, state: EraseState, key: SigningKey | None) -> Steps[Certificate]:
    """Write the certificate, unless a run that died has.

    :param key: signs it; None leaves it unsigned
    """
    archive = clearing.spec.archive
    folder = archive.folder
    certificate = None
    for number in range(state.certificate + 1, (yield from last_number(folder)) + 1):
        one = yield from read_numbered(folder, number)
        if one.values.get("erase_id") == state.erase_id:
            certificate = one
    if certificate is None:
        body = yield from _body(clearing, state)
        certificate = yield from add_certificate(folder, body, key)
    path = f"{archive.shown_path}/{certificate.about}"
    line = encode_certificate(certificate.values, certificate.sha256, path, certificate.data)
    yield from ask(Write(archive.ledger_bucket, [line]))
    rows = certificate.values["deleted"]["rows"]
    yield from ask(
        Report(
            f"Erasure {state.erase_id} of {archive.bucket}/{archive.measurement}: {rows:,} points of the bucket "
            f"are gone, and all that was made of them; certificate {certificate.number}"
        )
    )
    return certificate


def _body(clearing: ErasureRun, state: EraseState) -> Steps[dict[str, Any]]:
    spec, restating, found = clearing.spec, clearing.restating, state.all_found
    archive = spec.archive
    before = [dict(one.details) | {"erased": one.points.as_json()} for one in found.of_kind(ARCHIVE)]
    windows = {Interval.from_json(one["window"]) for one in before}
    after = yield from generations_after(spec, windows)
    body: dict[str, Any] = {
        "kind": ERASE,
        "erase_id": state.erase_id,
        "org": archive.kept_names[0],
        "bucket": archive.kept_names[1],
        "bucket_id": clearing.look.bucket.id,
        "measurement": archive.measurement,
        "window": spec.span.as_json(),
        "subject": state.subject.as_json(),
        "begun_at": state.begun_at,
        "ended_at": format_instant(restating.now()),
        "run": dict(state.run),
        "deleted": _points(found).as_json(),
        "archive": {
            "path": archive.shown_path,
            "removed": before,
            "after": after,
            "attempts": sum(one.rows for one in found.of_kind(ATTEMPTS)),
        },
        "targets": [_target(spec, one) for one in found.of_kind(TARGET)],
        "copies": [_place(one) for kind in (COPIES, STATUSES) for one in found.of_kind(kind)],
        "records": {one.place.partition(" ")[2]: one.rows for one in found.of_kind(RECORDS)},
        "computed_again": dict(clearing.remade),
        "kept": {
            **clearing.kept,
            **{spec.shown(name): {"why": why} for name, why in clearing.look.readers.left.items()},
        },
        "named_in_specs": naming_specs(spec, restating.stored),
        "checks": {"left": 0, "rounds": state.rounds},
    }
    if dict(state.run) != asdict(restating.info):
        body["finished_by"] = asdict(restating.info)
    return body


def _points(found: ErasureFindings) -> Fingerprint:
    """Fingerprint of the points that were found in the source."""
    return next((one.points for one in found.of_kind(SOURCE)), Fingerprint())


def _target(spec: EraseSpec, one: Holding) -> Mapping[str, Any]:
    names = [spec.shown(name) for name in one.details["pipelines"]]
    return {**_place(one), "pipelines": names}


def _place(one: Holding) -> Mapping[str, Any]:
    return {**one.details, "erased": one.points.as_json()}
