"""Texts of a bucket for people."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.shown_text import bytes_spelled, shown_text


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"plain", "plain"),
        ("grün ☃ a=b".encode(), "grün ☃ a=b"),
        (b"srv1\r", "srv1\\r"),
        (b"a\r\n\tb\x00", "a\\r\\n\\tb\\x00"),
        (b"K\xf6ln", "K\\xf6ln"),
    ],
)
def test_what_nobody_sees_is_spelled_when_a_text_is_shown(data: bytes, shown: str) -> None:
    assert shown_text(data.decode("utf-8", "surrogateescape")) == shown


def test_only_bytes_are_spelled_when_a_text_is_to_be_written() -> None:
    assert bytes_spelled(b"K\xf6ln\r".decode("utf-8", "surrogateescape")) == "K\\xf6ln\r"
    assert bytes_spelled("grün\r").encode() == "grün\r".encode()
