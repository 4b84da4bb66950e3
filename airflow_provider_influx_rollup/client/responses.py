"""Map an answer's status and text to this package's errors. Nothing is received here.

InfluxDB says overload and memory trouble with status 400, an unknown organisation with 400 or 404, and errors of a query
that has begun with a table after status 200, so the text decides before the status does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from airflow_provider_influx_rollup.client.requests import Request, RequestKind
from airflow_provider_influx_rollup.exceptions import (
    BucketNotFound,
    InfluxError,
    InfluxForbidden,
    InfluxOverloaded,
    InfluxRejected,
    InfluxUnauthorized,
    InfluxUnavailable,
    OrgNotFound,
    QueryFailed,
    QueryTooLarge,
    WriteRejected,
)
from airflow_provider_influx_rollup.flux.names import RENAME_TAG

# of a longer message, this much from each end: the reason comes last, behind the line that was refused
MAX_END = 500

# what the server, and the reader of its answers, say where a tag has the name of a column of theirs
COLUMNS_OF_ONE_NAME = re.compile(
    r"interface conversion: array\.Array is|column \d+ and \d+ have the same name|two columns of the name"
)
# first match wins
CLASS_BY_TEXT: tuple[tuple[re.Pattern[str], type[InfluxError]], ...] = (
    (re.compile(r"organization .*not found", re.DOTALL), OrgNotFound),
    (re.compile(r"could not find bucket|bucket .*not found", re.DOTALL), BucketNotFound),
    (re.compile(r"queue length exceeded"), InfluxOverloaded),
    (re.compile(r"memory allocation limit"), QueryTooLarge),
    # each of these would fail again; the server says them with status 500, with 400, or inside the answer
    (re.compile(r"a panic has occurred"), QueryFailed),
    (COLUMNS_OF_ONE_NAME, QueryFailed),
    (re.compile(r"runtime error .*max key length exceeded"), QueryFailed),
    (
        re.compile(r"is unauthorized|insufficient permissions|not authorized|is forbidden"),
        InfluxForbidden,
    ),
    (re.compile(r"partial write"), WriteRejected),
    (
        re.compile(r"context canceled|context deadline exceeded|engine is closed|database: timeout"),
        InfluxUnavailable,
    ),
)
CLASS_BY_STATUS: dict[int, type[InfluxError]] = {
    401: InfluxUnauthorized,
    403: InfluxForbidden,
    408: InfluxUnavailable,
    429: InfluxOverloaded,
}
CLASS_BY_KIND: dict[RequestKind, type[InfluxError]] = {
    RequestKind.QUERY: QueryFailed,
    RequestKind.WRITE: WriteRejected,
    RequestKind.DELETE: InfluxRejected,
    RequestKind.ADMIN: InfluxRejected,
}
FIXES: dict[type[InfluxError], str] = {
    InfluxUnauthorized: "put a valid API token into the connection",
    InfluxForbidden: "give the token the missing permission",
    BucketNotFound: "create the bucket, or let the token read it: InfluxDB hides buckets that a token may not read",
    OrgNotFound: "set the organisation's name in the connection",
    InfluxOverloaded: "run fewer queries at a time, or give the server more memory",
    QueryTooLarge: "run fewer queries at a time, ask for less in one, or raise query-memory-bytes of the server",
    InfluxUnavailable: "look at the server and the network, then run it again",
}
BUCKET_NAME = re.compile(r'bucket "(.+?)" not found|could not find bucket "(.+?)"')
DROPPED = re.compile(r"dropped[= ](\d+)")


class RetryAfter(Exception):
    """The cause of an error whose answer said how long to wait.

    :param seconds: at least this long
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the server asks to wait {seconds:g} s")
        self.seconds = seconds


def error_of_answer(request: Request, status: int, headers: Mapping[str, str], body: bytes) -> InfluxError:
    """Make the error of an answer with a status that the request did not expect."""
    text = message_of_body(body) or f"HTTP status {status} without a message"
    error = error_of_text(request, text, status=status)
    seconds = _retry_after(headers)
    if seconds is not None and not error.permanent:
        error.__cause__ = RetryAfter(seconds)
    return error


def error_of_text(request: Request, text: str, *, status: int | None = None) -> InfluxError:
    """Make the error of a server's message.

    :param status: None when the message came inside an answer of status 200
    """
    for pattern, by_text in CLASS_BY_TEXT:
        if pattern.search(text):
            return _make(by_text, request, text, status)
    return _make(_class_by_status(request.kind, status), request, text, status)


def _class_by_status(kind: RequestKind, status: int | None) -> type[InfluxError]:
    if status is None:
        return CLASS_BY_KIND[kind]
    if status >= 500 and status != 501:  # 501 is "delete by field is not supported"
        return InfluxUnavailable
    return CLASS_BY_STATUS.get(status, CLASS_BY_KIND[kind])


def _make(error_class: type[InfluxError], request: Request, text: str, status: int | None) -> InfluxError:
    shown = f"HTTP {status}" if status is not None else "an error inside the answer"
    what = f"{request.about} failed with {shown}: {text}"
    written, fix = None, FIXES.get(error_class)
    if COLUMNS_OF_ONE_NAME.search(text):
        fix = RENAME_TAG
    if error_class is BucketNotFound and (name := BUCKET_NAME.search(text)):
        what = f"bucket {name[1] or name[2]!r} was not found ({what})"
    elif error_class is WriteRejected:
        written = _written(text)
    return error_class(what, http_status=status, written=written, fix=fix)


def _written(text: str) -> str:
    """Tell what a refused write has left behind: a partial write keeps the good points of its batch."""
    if "partial write" not in text:
        return "nothing of this batch"
    found = DROPPED.search(text)
    dropped = f"{found[1]} points" if found else "an unknown number of points"
    return f"all of the batch but {dropped}, which the server dropped"


def message_of_body(body: bytes) -> str:
    """Read the message of an error's body: of its JSON, or its text when a proxy wrote it."""
    text = body.decode(errors="replace").strip()
    try:
        message = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        message = text
    return _shortened(str(message))


def _shortened(text: str) -> str:
    """Leave out the middle of a long text."""
    left_out = len(text) - 2 * MAX_END
    if left_out <= 0:
        return text
    return f"{text[:MAX_END]} [... {left_out} characters ...] {text[-MAX_END:]}"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of the Retry-After header; a date in it is ignored, the own backoff then decides."""
    text = headers.get("Retry-After", "").strip()
    return float(text) if text.isascii() and text.isdigit() else None
