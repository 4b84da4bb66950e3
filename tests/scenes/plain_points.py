"""Points as plain Python values: written over plain HTTP, and read back by InfluxQL, whose answers are JSON."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MARKS = {"integer": "i", "unsigned": "u"}


@dataclass(frozen=True)
class Point:
    """One field value.

    :param tags: sorted pairs
    :param kind: ``float``, ``integer``, ``unsigned``, ``boolean`` or ``string``
    """

    tags: tuple[tuple[str, str], ...]
    field: str
    kind: str
    value: Any
    time_ns: int

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.tags, self.field, self.time_ns)

    @property
    def identity(self) -> tuple[Any, ...]:
        """With floats by their bits: -0.0 is not 0.0."""
        return (*self.key, float(self.value).hex() if self.kind == "float" else self.value)


def plain_line(measurement: str, point: Point) -> str:
    """Line protocol, written here again from its description."""
    head = measurement.replace(",", "\\,").replace(" ", "\\ ")
    for name, text in point.tags:
        head += f",{_escaped(name)}={_escaped(text)}"
    if point.kind == "string":
        value = '"' + point.value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    elif point.kind == "boolean":
        value = "true" if point.value else "false"
    else:
        value = f"{point.value!r}{MARKS.get(point.kind, '')}"
    return f"{head} {_escaped(point.field)}={value} {point.time_ns}"


def _escaped(name: str) -> str:
    for special in (",", "=", " "):
        name = name.replace(special, f"\\{special}")
    return name


class PlainInflux:
    """The server without any of the product's code."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def write(self, bucket: str, measurement: str, points: Iterable[Point]) -> None:
        self.write_lines(bucket, [plain_line(measurement, point) for point in points])

    def write_lines(self, bucket: str, lines: Iterable[str]) -> None:
        query = {"org": self._server.org, "bucket": bucket, "precision": "ns"}
        self._request("POST", "/api/v2/write", "\n".join(lines).encode(), query)

    def delete(self, bucket: str, start: datetime, stop: datetime, predicate: str) -> None:
        """Both ends included."""
        body = {"start": start.isoformat(), "stop": stop.isoformat(), "predicate": predicate}
        query = {"org": self._server.org, "bucket": bucket}
        self._request("POST", "/api/v2/delete", json.dumps(body).encode(), query)

    def read(self, bucket: str, measurement: str) -> dict[tuple[Any, ...], Any]:
        """Value by series, field and time; of fields that have one type."""
        name = measurement.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        statement = f'SELECT * FROM "{name}" GROUP BY *'  # noqa: S608 - the test's own names
        query = {"db": bucket, "epoch": "ns", "q": statement}
        text = self._request("GET", "/query", None, query)
        # a float of -0.0 comes as -0, which Python would take for the whole number 0
        answer = json.loads(text, parse_int=lambda digits: -0.0 if digits == "-0" else int(digits))
        found = {}
        for series in answer["results"][0].get("series", []):
            tags = tuple(sorted((key, text) for key, text in series.get("tags", {}).items() if text))
            for row in series["values"]:
                for field, value in zip(series["columns"][1:], row[1:], strict=True):
                    if value is not None:
                        found[(tags, field, row[0])] = value
        return found

    def _request(self, method: str, path: str, body: bytes | None, query: dict[str, str]) -> bytes:
        url = f"{self._server.url}{path}?{urllib.parse.urlencode(query)}"
        headers = {"Authorization": f"Token {self._server.token}"}
        request = urllib.request.Request(url, data=body, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            read: bytes = answer.read()
            return read


def values_of(points: Iterable[Point]) -> dict[tuple[Any, ...], Any]:
    """What ``PlainInflux.read`` must find."""
    return {point.key: point.value for point in points}


def bits_of(values: dict[tuple[Any, ...], Any], kinds: dict[str, str]) -> dict[tuple[Any, ...], Any]:
    """Floats by their bits; JSON has a whole float without a point.

    :param kinds: the kind of each field
    """
    return {key: float(value).hex() if kinds[key[1]] == "float" else value for key, value in values.items()}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
