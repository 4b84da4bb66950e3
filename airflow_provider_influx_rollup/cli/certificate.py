"""Check certificates of purges and erasures with nothing but the files: their hashes, their chain, who signed them, and the archive."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.certificate import Certificate
    from airflow_provider_influx_rollup.archive.signing_key import SigningKey
    from airflow_provider_influx_rollup.cli.output import Output

HELP = "check certificates of purges and erasures"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("action", choices=("verify",), help="what to do")
    parser.add_argument(
        "path", metavar="PATH", help="a certificate, or the folder of all: then none may be missing"
    )
    parser.add_argument(
        "--archive", metavar="BASE", help="compare the archive's files in this base folder too"
    )
    parser.add_argument(
        "--key", metavar="FILE", help="the secret, or the PEM of the public key, that must have signed them"
    )
    parser.add_argument(
        "--erased",
        action="append",
        metavar="KEY=VALUE",
        help="only certificates of erasures of these tags; several must all be named",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("-v", "--verbose", action="store_true", help="say on stderr what is going on")


def run(args: Namespace, output: Output) -> int:
    """Print the certificates; right when nothing was changed."""
    from airflow_provider_influx_rollup.archive.certificate import require_chain, require_signature
    from airflow_provider_influx_rollup.cli.exit_codes import code_of
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
    from airflow_provider_influx_rollup.stores.check_certificates import check_archive

    key = read_key(args.key) if args.key else None
    base = ArchiveStore.of_url(_absolute(args.archive)) if args.archive else None
    certificates, is_chain = _read(args.path)
    if is_chain:
        require_chain(certificates)
    if key is not None:
        for certificate in certificates:
            require_signature(certificate, key)
    if base is not None:
        for certificate in certificates:
            check_archive(base, certificate)
    is_compared = base is not None
    if args.erased:
        certificates = _of_tags(certificates, args.erased)
        is_chain = False
    is_of_tags = bool(args.erased)
    _show(certificates, key, output, is_compared=is_compared, is_chain=is_chain, is_of_tags=is_of_tags)
    answers = [_answer(one, key, is_compared=is_compared) for one in certificates]
    code = code_of(bool(certificates))
    return output.finish(args.command, code, {"is_chain": is_chain, "certificates": answers})


def _of_tags(certificates: Sequence[Certificate], pairs: list[str]) -> list[Certificate]:
    """The certificates of erasures of exactly these tags."""
    from airflow_provider_influx_rollup.archive.certificate import ERASE
    from airflow_provider_influx_rollup.archive.erasure import Subject
    from airflow_provider_influx_rollup.cli.arguments import tags_of

    tags = tags_of(pairs)
    erasures = [one for one in certificates if one.values["kind"] == ERASE]
    return [one for one in erasures if Subject.from_json(one.values["subject"]).is_of(tags)]


def _read(path: str) -> tuple[list[Certificate], bool]:
    """The certificate of a file, or all of a folder."""
    from airflow_provider_influx_rollup.archive.paths import CERTIFICATES
    from airflow_provider_influx_rollup.exceptions import ConfigurationError
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
    from airflow_provider_influx_rollup.stores.check_certificates import read_chain, read_one

    url = _absolute(path)
    if url.endswith(".json"):
        folder, _, name = url.rpartition("/")
        return [read_one(ArchiveStore.of_url(folder), name)], False
    store = ArchiveStore.of_url(url)
    inner = CERTIFICATES if CERTIFICATES in store.names("") else ""
    found = read_chain(store, inner)
    if not found:
        what = f"there is no certificate in {store.shown}"
        fix = "name a certificate, or the folder of a measurement in the archive"
        raise ConfigurationError(what, written="nothing", fix=fix)
    return found, True


def _absolute(path: str) -> str:
    return path.rstrip("/") if "://" in path else str(Path(path).absolute())


def read_key(path: str) -> SigningKey:
    """The key of a file.

    :raises ConfigurationError: when it cannot be read
    """
    from airflow_provider_influx_rollup.archive.signing_key import SigningKey
    from airflow_provider_influx_rollup.exceptions import ConfigurationError

    try:
        data = Path(path).read_bytes()
    except OSError as error:
        what = f"the key file {path!r} cannot be read"
        raise ConfigurationError(what, written="nothing", fix="name a file that holds the key") from error
    return SigningKey.parse(data)


def _show(
    certificates: Sequence[Certificate],
    key: SigningKey | None,
    output: Output,
    *,
    is_compared: bool,
    is_chain: bool,
    is_of_tags: bool,
) -> None:
    from airflow_provider_influx_rollup.cli.output import number, table

    rows = [
        (
            one.number,
            one.values["kind"],
            f"[{one.values['window']['start']}, {one.values['window']['stop']})",
            number(one.values["deleted"]["rows"]) + (f" + {number(filed)} archived" if filed else ""),
            _signer(one, key),
            "compared" if is_compared else "",
            one.sha256,
        )
        for one in certificates
        for filed in [_archived_points(one)]
    ]
    columns = (">number", "kind", "window", ">points", "signed", "archive", "sha256")
    if rows:
        output.show(table(columns, rows))
    output.show(_summary(certificates, is_chain=is_chain, is_of_tags=is_of_tags))
    if key is None and any(one.is_signed for one in certificates):
        output.note("signatures were not checked: give --key")


def _summary(certificates: Sequence[Certificate], *, is_chain: bool, is_of_tags: bool) -> str:
    if is_of_tags and not certificates:
        return "no certificate is of an erasure of these tags"
    if is_of_tags:
        return f"{len(certificates)} right: of erasures of these tags"
    whole = "one chain, none is missing before the last" if is_chain else "one certificate, not the chain"
    return f"{len(certificates)} right: {whole}"


def _archived_points(certificate: Certificate) -> int:
    """Points that an erasure took from the archive's files, those of several generations of a window once."""
    most: dict[str, int] = {}
    for one in certificate.values["archive"].get("removed", ()):
        window = str(one["window"])
        most[window] = max(most.get(window, 0), one["erased"]["rows"])
    return sum(most.values())


def _signer(certificate: Certificate, key: SigningKey | None) -> str:
    signature = certificate.values["signature"]
    if signature is None:
        return "no"
    return f"{signature['algorithm']} {signature['key_id']}{'' if key else ', not checked'}"


def _answer(certificate: Certificate, key: SigningKey | None, *, is_compared: bool) -> dict[str, Any]:
    values = certificate.values
    return {
        "number": certificate.number,
        "kind": values["kind"],
        "window": values["window"],
        "points": values["deleted"]["rows"],
        "archived_points": _archived_points(certificate),
        "sha256": certificate.sha256,
        "is_signed": certificate.is_signed,
        "is_signature_checked": key is not None,
        "is_archive_compared": is_compared,
    }
