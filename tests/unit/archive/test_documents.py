"""Documents that have the hash of all the rest in them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.archive.documents import decode_sealed, encode_sealed
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch

SEAL = "sha256"
LINE = f'\n  "{SEAL}": "{"0" * 64}",\n'
# with keys and texts that look like the seal
NAMES = st.sampled_from([SEAL, "rows", "zone", "é", LINE]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=4
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(NAMES.filter(lambda name: name != SEAL), VALUES, max_size=5)


@given(DOCUMENTS)
def test_sealed_document_is_read_as_it_was_written(values: dict[str, Any]) -> None:
    assert decode_sealed(encode_sealed(values), "x") == values


@given(DOCUMENTS, st.data())
def test_change_of_any_byte_of_a_sealed_document_is_found(
    values: dict[str, Any], data: st.DataObject
) -> None:
    text = encode_sealed(values)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.binary(max_size=3).filter(lambda some: some != text[at : at + 1]))
    with pytest.raises(ArchiveMismatch, match="x is damaged"):
        decode_sealed(text[:at] + other + text[at + 1 :], "x")


def test_document_is_damaged_when_what_was_sealed_is_no_json() -> None:
    rest = b'{\n  "a": 1, nothing,\n  "z": 2\n}\n'
    line = f'\n  "{SEAL}": "{hashlib.sha256(rest).hexdigest()}",'.encode()
    at = rest.index(b"\n", 3)
    with pytest.raises(ArchiveMismatch, match="x is damaged"):
        decode_sealed(rest[:at] + line + rest[at:], "x")


def test_document_is_damaged_when_it_has_a_second_seal() -> None:
    values = {"a": 1, "z": 2}
    text = encode_sealed(values).decode()
    (line,) = (one for one in text.splitlines(keepends=True) if SEAL in one)
    other = line.replace(json.loads(text)[SEAL], "0" * 64)
    for doubled in (text.replace(line, line + line), text.replace(line, other + line)):
        with pytest.raises(ArchiveMismatch, match="x is damaged"):
            decode_sealed(doubled.encode(), "x")
