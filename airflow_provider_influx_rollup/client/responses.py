"""Map an answer's status and text to this package's errors. Nothing is received here.

InfluxDB says overload and memory trouble with status 400, an unknown organisation with 400 or 404, and errors of a query
that has begun with a table after status 200, so the text decides before the status does.
"""

from __future__ import annotations

import json
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
from airflow_provider_influx_rollup.rejections import (
    class_of_message,
    has_columns_of_one_name,
    is_disk_full,
    missing_bucket,
    written_of_refused,
)

# of a longer message, this much from each end: the reason comes last, behind the line that was refused
MAX_END = 500
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


#: an InfluxDB 2 answers each query; what has no such path is another server
NO_QUERIES_FIX = "check the URL: the server there takes no Flux. InfluxDB 2 does, InfluxDB 3 does not, and 1.x only when it is switched on"

#: it opens no shard again that it could not open once, and shows points that it has in memory only
FULL_DISK_FIX = "make room on InfluxDB's disk and start InfluxDB again, as until then it refuses writes, then run it again"


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
    error_class = class_of_message(text) or _class_by_status(request.kind, status)
    if error_class is QueryFailed and request.kind is RequestKind.ADMIN:
        # such a request runs no Flux that would fail again: InfluxDB panics over a run that ends in this moment
        error_class = InfluxUnavailable
    return _make(error_class, request, text, status)


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
    if has_columns_of_one_name(text):
        fix = RENAME_TAG
    if is_disk_full(text):
        fix = FULL_DISK_FIX
    if error_class is QueryFailed and status == 404:
        fix = NO_QUERIES_FIX
    if error_class is BucketNotFound and (name := missing_bucket(text)):
        what = f"bucket {name!r} was not found ({what})"
    elif error_class is WriteRejected:
        written = written_of_refused(text)
    return error_class(what, http_status=status, written=written, fix=fix)


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
