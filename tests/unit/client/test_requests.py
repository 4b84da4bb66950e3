"""Requests: bodies, paths and headers."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from airflow_provider_influx_rollup.client import requests
from airflow_provider_influx_rollup.client.batches import split_lines
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.windows.interval import Interval

DAY = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))


def test_query_body_has_extern_and_now_when_given() -> None:
    now = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    request = requests.query_request("my org&x", "buckets() // é", extern={"type": "File"}, now=now)
    assert request.path == "/api/v2/query?org=my+org%26x"
    assert json.loads(request.body or b"") == {
        "query": "buckets() // é",
        "type": "flux",
        "extern": {"type": "File"},
        "now": "2026-01-01T00:00:00Z",
        "dialect": {"annotations": ["datatype", "group", "default"], "header": True, "delimiter": ","},
    }
    assert "Prefer" not in request.headers


def test_query_body_has_neither_extern_nor_now_when_not_given() -> None:
    body = json.loads(requests.query_request("o", "x").body or b"")
    assert not {"extern", "now"} & set(body)


def test_rows_are_left_in_the_server_when_they_are_not_kept() -> None:
    request = requests.query_request("o", "x", keeps_rows=False)
    assert request.headers["Prefer"] == "return-no-content-with-error"
    assert request.expected == {200, 204}


def test_now_is_refused_when_it_has_no_time_zone() -> None:
    with pytest.raises(ConfigurationError, match="no time zone"):
        requests.query_request("o", "x", now=datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(("size", "is_compressed"), [(10, False), (5000, True)])
def test_payload_is_compressed_when_it_is_large(size: int, is_compressed: bool) -> None:
    request = requests.write_request("o", "a b", b"x" * size, compress=True)
    assert request.path == "/api/v2/write?org=o&bucket=a+b&precision=ns"
    assert ("Content-Encoding" in request.headers) == is_compressed
    body = request.body or b""
    assert (gzip.decompress(body) if is_compressed else body) == b"x" * size
    assert request.expected == {204}  # a proxy's page with status 200 is no success


def test_payload_stays_plain_when_compression_is_off() -> None:
    assert requests.write_request("o", "b", b"x" * 5000, compress=False).body == b"x" * 5000


def test_delete_ends_one_nanosecond_before_stop_when_half_open() -> None:
    body = json.loads(requests.delete_request("o", "b", DAY, '_measurement="m"').body or b"")
    assert body == {
        "start": "2026-01-01T00:00:00.000000000Z",
        "stop": "2026-01-01T23:59:59.999999999Z",
        "predicate": '_measurement="m"',
    }


@pytest.mark.parametrize("predicate", ["", 'site="a"'])
def test_delete_is_refused_when_no_measurement_is_named(predicate: str) -> None:
    with pytest.raises(ConfigurationError, match="names no measurement"):
        requests.delete_request("o", "b", DAY, predicate)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (1_767_225_600_000_000_001, "2026-01-01T00:00:00.000000001Z"),
    ],
)
def test_nanoseconds_have_nine_digits_when_formatted(nanoseconds: int, text: str) -> None:
    assert requests.format_ns(nanoseconds) == text


@pytest.mark.parametrize(("seconds", "rules"), [(0, []), (3600, [{"type": "expire", "everySeconds": 3600}])])
def test_bucket_has_a_rule_when_it_expires(seconds: int, rules: list[dict[str, object]]) -> None:
    body = json.loads(requests.create_bucket_request("id", "b", seconds).body or b"")
    assert body == {"orgID": "id", "name": "b", "retentionRules": rules}


@pytest.mark.parametrize(
    "make",
    [
        lambda text: requests.query_request("dev", f"buckets() // {text}"),
        lambda text: requests.query_request(text, "buckets()"),
        lambda text: requests.find_bucket_request("dev", text),
        lambda text: requests.create_bucket_request("id", text, 0),
        lambda text: requests.write_request("dev", text, b"m v=1 1", compress=False),
        lambda text: requests.delete_request("dev", "raw", DAY, f'_measurement="{text}"'),
        lambda text: list(split_lines([f"m v=1 1\nm,a={text} v=1 1"])),
    ],
)
def test_text_is_refused_with_what_is_around_when_utf_8_cannot_carry_it(
    make: Callable[[str], object],
) -> None:
    with pytest.raises(ConfigurationError, match="UTF-8 cannot carry") as caught:
        make("lone \ud83d half")
    assert "lone" in str(caught.value)
    make("whole \U0001f600 pair")
