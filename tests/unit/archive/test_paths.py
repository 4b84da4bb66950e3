"""Folders of names: one for each name, and none longer than a file system takes."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.archive.documents import decode_document, encode_sealed
from airflow_provider_influx_rollup.archive.paths import decode_name, encode_name, parse_window
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, ConfigurationError

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)


@given(st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_each_name_has_a_folder_of_its_own(names: list[str]) -> None:
    encoded = [encode_name(name) for name in names]
    assert len(set(encoded)) == len(names)
    for name, folder in zip(names, encoded, strict=True):
        assert 1 <= len(folder.encode("ascii")) <= 255
        assert "/" not in folder
        if "~" not in folder:
            assert unquote(folder) == decode_name(folder) == name


def test_short_names_have_the_folder_that_they_always_had() -> None:
    assert encode_name("m³/d") == "m%C2%B3%2Fd"
    assert encode_name("x" * 255) == "x" * 255
    assert encode_name("気" * 28) == "%E6%B0%97" * 28


@pytest.mark.parametrize(
    "times",
    [
        "20251340T000000Z_20251341T000000Z",
        "20250308T000000Z_20250308T250000Z",
        "20250309T000000Z_20250308T000000Z",
        "20250308T000000Z_20250308T000000Z",
    ],
)
def test_folder_is_of_no_window_when_its_times_are_none_or_in_the_wrong_order(times: str) -> None:
    assert parse_window(f"window={times}") is None


def test_long_names_begin_as_they_are_and_end_with_a_hash() -> None:
    folder = encode_name("気" * 37)
    assert folder.startswith("%E6%B0%97" * 13 + "~")
    assert len(folder) == 13 * 9 + 1 + 32
    assert encode_name("気" * 38) != folder


def test_empty_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no name"):
        encode_name("")


@pytest.mark.parametrize(
    "data",
    [b"[" * 200_000, b'{"a":' * 990 + b"1" + b"}" * 990, b'"\\ud800"', b'{"a": "\\ud800"}', b"9" * 5000],
    ids=["brackets", "deep", "surrogate", "surrogate in it", "digits"],
)
def test_documents_that_cannot_be_are_damaged(data: bytes) -> None:
    with pytest.raises(ArchiveMismatch, match="x is damaged"):
        decode_document(data, "x")
    assert encode_sealed({"a": 1})
