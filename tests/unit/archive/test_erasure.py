"""Whom an erasure was about, and which files are gone for it."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.archive.erasure import ErasedFiles, Subject, fence_name, fence_number
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, ConfigurationError

SALT = bytes(range(16))
TAGS = {"customer": "42", "site": "a"}


def test_subject_is_of_exactly_its_tags_when_it_is_read_again() -> None:
    subject = Subject.from_json(Subject.of(TAGS, SALT).as_json())
    assert subject.is_of({"site": "a", "customer": "42"})
    for other in (
        {"customer": "42"},
        {**TAGS, "more": "x"},
        {"customer": "43", "site": "a"},
        {"customer": "a", "site": "42"},
    ):
        assert not subject.is_of(other)


def test_subject_tells_nothing_of_equal_tags_when_salts_differ() -> None:
    one, other = Subject.of(TAGS, SALT), Subject.of(TAGS, SALT[::-1])
    assert one.digest != other.digest
    assert one.label != other.label
    assert other.is_of(TAGS)


def test_short_salt_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="too short"):
        Subject.of(TAGS, b"salt")


def test_any_changed_byte_is_found_when_erased_files_are_read() -> None:
    erased = ErasedFiles("0123456789abcdef", 2, "aa", (("float-1.parquet", "bb"),))
    data = erased.encode()
    assert ErasedFiles.decode(data, "x") == erased
    for place in range(len(data)):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(ArchiveMismatch):
            ErasedFiles.decode(changed, "x")


def test_fences_are_numbered_and_other_names_are_none() -> None:
    assert fence_number(fence_name(12)) == 12
    assert fence_number("0123456789abcdef.json") == 0
