"""Certificates: any byte changed, removed or moved is found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from airflow_provider_influx_rollup.archive.certificate import (
    Certificate,
    certificate_number,
    read_certificate,
    require_chain,
    require_signature,
    seal,
)
from airflow_provider_influx_rollup.archive.signing_key import SigningKey
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, ConfigurationError

SECRET = b"a secret of thirty-two bytes!!!!"
# names for keys that are made anew in each process
KINDS = ["secret", "pair"]
BODY = {"org": "dev", "bucket": "raw", "measurement": 'm "ü"', "deleted": {"rows": 12, "hash": "00ff"}}


def private_pem(key: Any = None) -> bytes:
    pem: bytes = (key or Ed25519PrivateKey.generate()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return pem


def public_pem(private: Ed25519PrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def chain(count: int, key: SigningKey | None = None) -> list[Certificate]:
    made: list[Certificate] = []
    for number in range(1, count + 1):
        data = seal({**BODY, "window": number}, number, made[-1] if made else None, key)
        made.append(read_certificate(data, f"{number}.json"))
    return made


@pytest.mark.parametrize(
    "key", [None, SigningKey.parse(SECRET), SigningKey.parse(private_pem())], ids=["none", *KINDS]
)
def test_certificate_fails_when_any_byte_is_changed(key: SigningKey | None) -> None:
    (made,) = chain(1, key)
    for position in range(len(made.data)):
        for bit in (1, 32):
            changed = bytearray(made.data)
            changed[position] ^= bit
            with pytest.raises(ArchiveMismatch, match="is damaged"):
                read_certificate(bytes(changed), "it")
    for cut in (made.data[:-1], made.data + b"\n", b"", b"{}\n", b"[]\n"):
        with pytest.raises(ArchiveMismatch):
            read_certificate(cut, "it")


def test_signature_is_right_when_the_key_is() -> None:
    pair = Ed25519PrivateKey.generate()
    for signs, checks in ((SECRET, SECRET + b"\n"), (private_pem(pair), public_pem(pair))):
        (made,) = chain(1, SigningKey.parse(signs))
        require_signature(made, SigningKey.parse(checks))


@pytest.mark.parametrize("other", [b"another secret of some bytes", private_pem()], ids=KINDS)
@pytest.mark.parametrize("own", [SECRET, private_pem()], ids=KINDS)
def test_signature_fails_when_the_key_is_another(own: bytes, other: bytes) -> None:
    (made,) = chain(1, SigningKey.parse(own))
    with pytest.raises(ArchiveMismatch, match="another key"):
        require_signature(made, SigningKey.parse(other))
    (unsigned,) = chain(1)
    with pytest.raises(ArchiveMismatch, match="not signed"):
        require_signature(unsigned, SigningKey.parse(own))


@pytest.mark.parametrize("secret", [SECRET, private_pem()], ids=KINDS)
def test_signature_fails_when_the_document_was_sealed_anew_without_the_key(secret: bytes) -> None:
    key = SigningKey.parse(secret)
    (made,) = chain(1, key)
    body = {**made.values, "deleted": {"rows": 13, "hash": "00ff"}}
    del body["sha256"]

    class Forger(SigningKey):
        def sign(self, data: bytes) -> str:
            del data
            return str(made.values["signature"]["value"])

    forged = read_certificate(seal(body, 1, None, Forger(algorithm=key.algorithm, key_id=key.key_id)), "it")
    with pytest.raises(ArchiveMismatch, match="not of what it says"):
        require_signature(forged, key)


@pytest.mark.parametrize(
    ("order", "found"),
    [((0, 1, 3), "4.json"), ((1, 2, 3), "2.json"), ((0, 2, 1, 3), "3.json"), ((0, 1, 1, 2), "2.json")],
)
def test_chain_fails_when_one_is_removed_moved_or_repeated(order: Sequence[int], found: str) -> None:
    whole = chain(4)
    require_chain(whole)
    require_chain([])
    with pytest.raises(ArchiveMismatch, match=found):
        require_chain([whole[index] for index in order])


def test_chain_fails_when_one_was_sealed_anew() -> None:
    first, second, third = chain(3)
    body = {**second.values, "deleted": {"rows": 0, "hash": "0"}}
    del body["sha256"]
    forged = read_certificate(seal(body, 2, first, None), "2.json")
    with pytest.raises(ArchiveMismatch, match=r"3\.json is not right: the one before"):
        require_chain([first, forged, third])
    stranger = read_certificate(seal({**body, "bucket": "other"}, 2, first, None), "2.json")
    with pytest.raises(ArchiveMismatch, match="another measurement"):
        require_chain([first, stranger])


def test_key_is_refused_and_never_shown_when_it_is_none() -> None:
    elliptic = private_pem(generate_private_key(SECP256R1()))
    for bad in (
        b"",
        b"short secret",
        b"-----BEGIN PRIVATE KEY-----\nxx\n-----END PRIVATE KEY-----",
        elliptic,
    ):
        with pytest.raises(ConfigurationError) as caught:
            SigningKey.parse(bad)
        assert not bad or bad.decode() not in str(caught.value)
    assert SECRET.decode() not in repr(SigningKey.parse(SECRET))
    with pytest.raises(ConfigurationError, match="cannot sign"):
        SigningKey.parse(public_pem(Ed25519PrivateKey.generate())).sign(b"")


def test_number_is_none_when_the_name_is_of_another_file() -> None:
    assert certificate_number("00000012.json") == 12
    assert certificate_number("123456789.json") == 123456789
    for other in ("12.json", "00000001.json.part", "000000012.json", "catalog.json"):
        assert certificate_number(other) is None
