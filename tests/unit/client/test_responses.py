"""Answers to errors: each message was seen on a real server."""

from __future__ import annotations

import json

import pytest

from airflow_provider_influx_rollup import exceptions as errors
from airflow_provider_influx_rollup.client import requests
from airflow_provider_influx_rollup.client.responses import RetryAfter, error_of_answer, error_of_text

QUERY = requests.query_request("dev", "buckets()")
WRITE = requests.write_request("dev", "raw", b"m v=1", compress=False)
ADMIN = requests.find_bucket_request("dev", "raw")
CONFLICT = (
    'failure writing points to database: partial write: field type conflict: input field "v" on measurement'
    ' "m" is type string, already exists as type float dropped=1'
)
RETENTION = "partial write: dropped 3 points outside retention policy of duration 1h0m0s"

ANSWERS = [
    (QUERY, 401, "unauthorized access", errors.InfluxUnauthorized),
    (WRITE, 403, "insufficient permissions for write", errors.InfluxForbidden),
    (QUERY, 403, "failed to initialize execute state: user not authorized to write", errors.InfluxForbidden),
    (ADMIN, 401, "write:orgs/311f135ab0423e66/buckets is unauthorized", errors.InfluxForbidden),
    (ADMIN, 500, "failed to create task: unauthorized", errors.InfluxForbidden),
    (ADMIN, 500, "failed to force run: unauthorized", errors.InfluxForbidden),
    (QUERY, 404, 'failed to initialize execute state: could not find bucket "zz"', errors.BucketNotFound),
    (WRITE, 404, 'bucket "zz" not found', errors.BucketNotFound),
    (
        QUERY,
        400,
        'failed to decode request body: organization name "nope" not found',
        errors.OrgNotFound,
    ),
    (WRITE, 404, 'organization name "nope" not found', errors.OrgNotFound),
    (QUERY, 400, "queue length exceeded", errors.InfluxOverloaded),
    (
        QUERY,
        400,
        "memory allocation limit reached: limit 100 bytes, allocated: 90, wanted: 20",
        errors.QueryTooLarge,
    ),
    (QUERY, 429, "slow down", errors.InfluxOverloaded),
    (QUERY, 503, "starting", errors.InfluxUnavailable),
    (WRITE, 500, "unexpected error writing points to database: timeout", errors.InfluxUnavailable),
    (QUERY, 500, "a panic has occurred: interface conversion", errors.QueryFailed),
    (ADMIN, 500, "a panic has occurred: nil pointer dereference", errors.InfluxUnavailable),
    (WRITE, 422, CONFLICT, errors.WriteRejected),
    (WRITE, 400, "unable to parse 'm v': invalid field format", errors.WriteRejected),
    (WRITE, 413, "too large", errors.WriteRejected),
    (QUERY, 400, "error @1:1-1:9: undefined identifier foo", errors.QueryFailed),
    (QUERY, 302, "moved", errors.QueryFailed),
    (ADMIN, 422, "odd", errors.InfluxRejected),
    (
        requests.Request(kind=requests.RequestKind.DELETE, about="d", method="POST", path="/"),
        501,
        "delete by field",
        errors.InfluxRejected,
    ),
    (QUERY, None, RETENTION, errors.WriteRejected),
    (QUERY, None, "memory allocation limit reached: limit 1 bytes", errors.QueryTooLarge),
    (QUERY, None, "runtime error: schema collision", errors.QueryFailed),
    (QUERY, 500, "runtime error @1:2-1:9: to: all fields must have non-empty names", errors.QueryFailed),
    (
        QUERY,
        500,
        "runtime error @2:1-2:4: filter: failed to evaluate filter function: error parsing regexp: missing closing ): `(`",
        errors.QueryFailed,
    ),
    (
        QUERY,
        500,
        "runtime error @2:1-2:4: map: failed to evaluate map function: context deadline exceeded",
        errors.InfluxUnavailable,
    ),
    (QUERY, 500, "runtime error @1:2-1:9: to: failed to write points", errors.InfluxUnavailable),
    (
        QUERY,
        None,
        'Post "http://far:8086/api/v2/write": dial tcp 10.0.0.1:8086: connect: connection refused',
        errors.InfluxUnavailable,
    ),
    (
        QUERY,
        500,
        'runtime error @1:2-3:4: filter: failed to evaluate filter function: Post "http://far:8086/api/v2/query": dial tcp: lookup far: no such host',
        errors.InfluxUnavailable,
    ),
    (
        QUERY,
        None,
        'Post "http://far:8086/api/v2/write": read tcp 10.0.0.1:9: read: connection reset by peer',
        errors.InfluxUnavailable,
    ),
    (
        QUERY,
        None,
        'Post "https://far:8086/api/v2/write": x509: certificate signed by unknown authority',
        errors.QueryFailed,
    ),
]


@pytest.mark.parametrize(("request_", "status", "text", "expected"), ANSWERS)
def test_error_is_named_by_its_cause_when_classified(
    request_: requests.Request, status: int | None, text: str, expected: type[errors.InfluxError]
) -> None:
    if status is None:
        error = error_of_text(request_, text)
    else:
        error = error_of_answer(request_, status, {}, json.dumps({"code": "x", "message": text}).encode())
    assert type(error) is expected
    assert error.http_status == status
    assert text in str(error)
    assert request_.about in str(error)


@pytest.mark.parametrize(
    ("text", "name"), [('bucket "a \\"b" not found', 'a \\"b'), ('could not find bucket "zz"', "zz")]
)
def test_bucket_is_named_first_when_it_is_not_found(text: str, name: str) -> None:
    assert str(error_of_text(QUERY, text)).startswith(f"bucket {name!r} was not found")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (CONFLICT, "all of the batch but 1 points, which the server dropped"),
        (RETENTION, "all of the batch but 3 points, which the server dropped"),
        ("partial write: odd", "all of the batch but an unknown number of points, which the server dropped"),
    ],
)
def test_dropped_points_are_told_when_a_write_is_partial(text: str, written: str) -> None:
    assert error_of_text(WRITE, text, status=422).written == written


def test_nothing_is_told_as_written_when_a_line_is_bad() -> None:
    assert error_of_text(WRITE, "unable to parse 'x'", status=400).written == "nothing of this batch"


@pytest.mark.parametrize(
    ("body", "shown"), [(b"<h1>Bad gateway</h1>", "<h1>Bad gateway</h1>"), (b"", "HTTP status 502")]
)
def test_text_is_shown_when_a_proxy_answers(body: bytes, shown: str) -> None:
    error = error_of_answer(QUERY, 502, {}, body)
    assert isinstance(error, errors.InfluxUnavailable)
    assert shown in str(error)


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [(429, "7", 7.0), (503, "0", 0.0), (503, "Wed, 21 Oct 2026 07:28:00 GMT", None)],
)
def test_wait_is_kept_when_the_answer_says_how_long(status: int, header: str, seconds: float | None) -> None:
    cause = error_of_answer(QUERY, status, {"Retry-After": header}, b"busy").__cause__
    assert (cause.seconds if isinstance(cause, RetryAfter) else None) == seconds


def test_wait_is_ignored_when_the_error_is_permanent() -> None:
    assert error_of_answer(QUERY, 403, {"Retry-After": "7"}, b"no").__cause__ is None


def test_reason_is_shown_when_the_line_before_it_is_long() -> None:
    text = f"unable to parse 'm,t={'x' * 70_000} v=1': max key length exceeded: 70009 > 65535"
    error = error_of_answer(WRITE, 400, {}, json.dumps({"code": "invalid", "message": text}).encode())
    assert "unable to parse 'm,t=xxx" in error.what
    assert error.what.endswith("max key length exceeded: 70009 > 65535")
    assert len(error.what) < 1_200


def test_room_and_a_new_start_are_the_advice_when_the_server_s_disk_is_or_was_full() -> None:
    said = (
        "unexpected error writing points to database: not attempting to open shard 2; opening shard previously failed with: "
        "error loading series file: write /data/_series/00/0000.initializing: no space left on device"
    )
    body = json.dumps({"code": "internal error", "message": said}).encode()
    error = error_of_answer(WRITE, 500, {}, body)
    assert isinstance(error, errors.InfluxUnavailable)
    assert not error.permanent
    assert error.fix is not None
    assert "make room" in error.fix
    assert "start InfluxDB again" in error.fix
