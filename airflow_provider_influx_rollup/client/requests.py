"""Requests of the InfluxDB API as values. Nothing is sent here."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from urllib.parse import urlencode

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant, from_ns

GZIP_FROM_BYTES = 4096
SHOWN_AROUND = 30
JSON_TYPE = {"Content-Type": "application/json"}


class RequestKind(Enum):
    """Purpose of a request, which decides the error of a refusal."""

    QUERY = "query"
    WRITE = "write"
    DELETE = "delete"
    ADMIN = "look-up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; ``about`` names it in error messages.

    :param path: the path with its query string, after the server's URL
    :param expected: the statuses that mean success
    :param is_profiled: whether the answer ends with a profile
    """

    kind: RequestKind
    about: str
    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    expected: frozenset[int] = frozenset({200})
    needs_token: bool = True
    is_profiled: bool = False


def query_request(
    org: str,
    flux: str,
    *,
    extern: Mapping[str, Any] | None = None,
    now: datetime | None = None,
    keeps_rows: bool = True,
) -> Request:
    """Run Flux.

    :param extern: a Flux AST file whose options are bound before the query
    :param now: aware time of ``now()`` in the query
    :param keeps_rows: False leaves the rows in the server and sends back errors only
    """
    body: dict[str, Any] = {
        "query": flux,
        "type": "flux",
        "dialect": {"annotations": ["datatype", "group", "default"], "header": True, "delimiter": ","},
    }
    if extern is not None:
        body["extern"] = extern
    if now is not None:
        if now.tzinfo is None:
            what = f"now {now.isoformat()} has no time zone"
            raise ConfigurationError(what, fix="pass an aware datetime")
        body["now"] = format_instant(now)
    # "return-no-content" would answer before the query has run
    headers = JSON_TYPE if keeps_rows else {**JSON_TYPE, "Prefer": "return-no-content-with-error"}
    expected = frozenset({200} if keeps_rows else {200, 204})
    path = _path("/api/v2/query", org=org)
    return Request(
        kind=RequestKind.QUERY,
        about="the query",
        method="POST",
        path=path,
        body=json_body(body),
        headers=headers,
        expected=expected,
    )


def field_types_request(database: str, measurement: str) -> Request:
    """List the fields of a measurement with every type that they ever had, by InfluxQL: Flux knows one of them.

    :param database: of the 1.x-compatible API; see ``client/databases.py``
    """
    quoted = '"' + measurement.replace("\\", "\\\\").replace('"', '\\"') + '"'
    path = _path("/query", db=database, q=f"SHOW FIELD KEYS FROM {quoted}")
    return Request(
        kind=RequestKind.QUERY, about=f"listing the fields of {measurement!r}", method="GET", path=path
    )


def influxql_request(database: str | None, statement: str, about: str) -> Request:
    """Run an InfluxQL statement.

    :param database: of the 1.x-compatible API; None for a statement about all of them
    :param about: what it does, for messages
    """
    params = {"q": statement} if database is None else {"db": database, "q": statement}
    return Request(kind=RequestKind.DELETE, about=about, method="POST", path=_path("/query", **params))


def mappings_request(org: str) -> Request:
    """List the databases of the 1.x-compatible API with their buckets."""
    return Request(
        kind=RequestKind.ADMIN,
        about="listing the DBRP mappings",
        method="GET",
        path=_path("/api/v2/dbrps", org=org),
    )


def ast_request(org: str, flux: str) -> Request:
    """Parse Flux on the server without running it."""
    path = _path("/api/v2/query/ast", org=org)
    return Request(
        kind=RequestKind.QUERY,
        about="parsing the script",
        method="POST",
        path=path,
        body=json_body({"query": flux}),
        headers=JSON_TYPE,
    )


def write_request(org: str, bucket: str, payload: bytes, *, compress: bool) -> Request:
    """Write line protocol with times in nanoseconds.

    :param compress: send the payload as gzip when it is large enough to gain
    """
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    if compress and len(payload) >= GZIP_FROM_BYTES:
        payload = gzip.compress(payload, compresslevel=1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    path = _path("/api/v2/write", org=org, bucket=bucket, precision="ns")
    about = f"writing to bucket {bucket!r}"
    return Request(
        kind=RequestKind.WRITE,
        about=about,
        method="POST",
        path=path,
        body=payload,
        headers=headers,
        expected=frozenset({204}),
    )


def delete_request(org: str, bucket: str, interval: Interval, predicate: str) -> Request:
    """Delete the points of ``[start, stop)`` that match.

    :raises ConfigurationError: when the predicate does not name a measurement: an empty one deletes everything
    """
    if "_measurement" not in predicate:
        what = f"the delete predicate {predicate!r} names no measurement"
        raise ConfigurationError(what, window=interval, fix='add _measurement="..."')
    body = {
        "start": format_ns(interval.start_ns),
        # the server's stop is inclusive
        "stop": format_ns(interval.stop_ns - 1),
        "predicate": predicate,
    }
    path = _path("/api/v2/delete", org=org, bucket=bucket)
    about = f"deleting from bucket {bucket!r}"
    return Request(
        kind=RequestKind.DELETE,
        about=about,
        method="POST",
        path=path,
        body=json_body(body),
        headers=JSON_TYPE,
        expected=frozenset({204}),
    )


def find_bucket_request(org: str, name: str) -> Request:
    """Look a bucket up by its name."""
    path = _path("/api/v2/buckets", org=org, name=name)
    return Request(kind=RequestKind.ADMIN, about=f"looking for bucket {name!r}", method="GET", path=path)


def bucket_of_id_request(bucket_id: str) -> Request:
    """Look a bucket up by its id: the list has none that the token may not read."""
    path = _path("/api/v2/buckets", id=bucket_id)
    return Request(kind=RequestKind.ADMIN, about=f"looking for bucket {bucket_id}", method="GET", path=path)


def find_org_request(org: str) -> Request:
    """Look the organisation up by its name."""
    return Request(
        kind=RequestKind.ADMIN,
        about=f"looking for organisation {org!r}",
        method="GET",
        path=_path("/api/v2/orgs", org=org),
    )


def list_orgs_request() -> Request:
    """List the organisations that the token may read."""
    return Request(
        kind=RequestKind.ADMIN, about="listing the organisations", method="GET", path="/api/v2/orgs"
    )


def create_bucket_request(org_id: str, name: str, retention_seconds: int) -> Request:
    """Create a bucket.

    :param retention_seconds: 0 keeps forever
    """
    rules = [{"type": "expire", "everySeconds": retention_seconds}] if retention_seconds else []
    body = {"orgID": org_id, "name": name, "retentionRules": rules}
    about = f"creating bucket {name!r}"
    return Request(
        kind=RequestKind.ADMIN,
        about=about,
        method="POST",
        path="/api/v2/buckets",
        body=json_body(body),
        headers=JSON_TYPE,
        expected=frozenset({201}),
    )


def make_bucket_request(name: str, body: Mapping[str, Any]) -> Request:
    """Create a bucket with all that is set of it.

    :param body: as the API takes it
    """
    return _change("POST", "/api/v2/buckets", body, f"creating bucket {name!r}", 201)


def change_bucket_request(bucket_id: str, name: str, body: Mapping[str, Any]) -> Request:
    """Change what is set of a bucket."""
    return _change("PATCH", f"/api/v2/buckets/{bucket_id}", body, f"changing bucket {name!r}", 200)


def list_labels_request(org_id: str) -> Request:
    """List the labels of an organisation."""
    path = _path("/api/v2/labels", orgID=org_id)
    return Request(kind=RequestKind.ADMIN, about="listing the labels", method="GET", path=path)


def make_label_request(org_id: str, name: str) -> Request:
    """Create a label."""
    body = {"orgID": org_id, "name": name, "properties": {}}
    return _change("POST", "/api/v2/labels", body, f"creating label {name!r}", 201)


def add_label_request(bucket_id: str, name: str, label_id: str) -> Request:
    """Put a label on a bucket."""
    body = {"labelID": label_id}
    return _change("POST", f"/api/v2/buckets/{bucket_id}/labels", body, f"labelling bucket {name!r}", 201)


def make_token_request(body: Mapping[str, Any]) -> Request:
    """Create a token; the answer holds it."""
    return _change("POST", "/api/v2/authorizations", body, "creating a token", 201)


def _change(method: str, path: str, body: Mapping[str, Any], about: str, status: int) -> Request:
    return Request(
        kind=RequestKind.ADMIN,
        about=about,
        method=method,
        path=path,
        body=json_body(body),
        headers=JSON_TYPE,
        expected=frozenset({status}),
    )


def health_request() -> Request:
    """Ask how the server is; needs no token."""
    return Request(
        kind=RequestKind.ADMIN, about="the health check", method="GET", path="/health", needs_token=False
    )


def ping_request() -> Request:
    """Ask which server answers; all versions of InfluxDB tell it in headers, some only to those with a token."""
    return Request(
        kind=RequestKind.ADMIN,
        about="the ping",
        method="GET",
        path="/ping",
        expected=frozenset({200, 204}),
    )


def format_ns(nanoseconds: int) -> str:
    """RFC 3339 in UTC with all nine digits.

    :param nanoseconds: since the epoch
    """
    instant = from_ns(nanoseconds).astimezone(UTC).replace(tzinfo=None)
    return f"{instant.isoformat(timespec='seconds')}.{nanoseconds % 1_000_000_000:09d}Z"


def _path(path: str, **params: str) -> str:
    return f"{path}?{urlencode({name: utf8(value) for name, value in params.items()})}"


def json_body(body: Mapping[str, Any]) -> bytes:
    """The bytes of a body that is sent as JSON."""
    return utf8(json.dumps(body, ensure_ascii=False))


def utf8(text: str) -> bytes:
    """The bytes of a text that is sent.

    :raises ConfigurationError: when it holds half of a surrogate pair, with what is around it
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        around = text[max(0, error.start - SHOWN_AROUND) : error.end + SHOWN_AROUND]
        what = f"{around!a} holds a character that UTF-8 cannot carry"
        raise ConfigurationError(what, written="nothing", fix="remove the lone surrogate") from error
