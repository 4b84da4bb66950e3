"""Points with names that only a query can write, made and read without the product."""

from __future__ import annotations

import csv
import io
import json
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.conftest import InfluxServer

#: a series' tags in the order in which they are its key
Tags = tuple[tuple[str, str], ...]
Fact = tuple[Tags, str, int, Any]


@dataclass(frozen=True)
class ToPoint:
    """One float of one field, as ``to()`` writes it.

    :param tags: in the order of the series' key
    """

    tags: Tags
    value: float
    time_ns: int
    field: str = "v"

    @property
    def fact(self) -> Fact:
        """What must be read back."""
        return (tuple(sorted(self.tags)), self.field, self.time_ns, self.value)


def flux_text(text: str) -> str:
    """A literal; interpolations are not among the names of these tests."""
    escapes = {"\0": "\\x00", "\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(escapes.get(character, character) for character in text) + '"'


def write_by_to(influx: InfluxServer, bucket: str, measurement: str, points: Iterable[ToPoint]) -> None:
    """Write points by queries, one for each order of tags."""
    shapes: dict[tuple[str, ...], list[str]] = {}
    for one in points:
        tags = "".join(f", {flux_text(key)}: {flux_text(text)}" for key, text in one.tags)
        row = (
            f"{{_time: time(v: {one.time_ns}), _measurement: {flux_text(measurement)}, _field: {flux_text(one.field)}, "
            f'_value: float(v: "{one.value!r}"){tags}}}'
        )
        shapes.setdefault(tuple(key for key, _ in one.tags), []).append(row)
    for keys, rows in shapes.items():
        columns = ", ".join(map(flux_text, keys))
        flux = f'import "array" array.from(rows: [{", ".join(rows)}]) |> to(bucket: "{bucket}", tagColumns: [{columns}])'
        _post(influx, f"/api/v2/query?org={influx.org}", {"query": flux})


def delete_all(influx: InfluxServer, bucket: str) -> None:
    """Delete all points of a bucket."""
    body = {"start": "1970-01-01T00:00:00Z", "stop": "2100-01-01T00:00:00Z"}
    _post(influx, f"/api/v2/delete?org={influx.org}&bucket={bucket}", body)


def facts_in(influx: InfluxServer, bucket: str, measurements: Sequence[str]) -> Counter[Fact]:
    """Every value of a bucket, series key by series key, by Python's csv module."""
    found: Counter[Fact] = Counter()
    for name in measurements:
        flux = (
            f'from(bucket: "{bucket}") |> range(start: 0, stop: 2100-01-01T00:00:00Z)'
            f" |> filter(fn: (r) => r._measurement == {flux_text(name)})"
            ' |> drop(columns: ["_start", "_stop", "_measurement"]) |> map(fn: (r) => ({r with _time: int(v: r._time)}))'
        )
        body = {"query": flux, "dialect": {"annotations": ["datatype"]}}
        found.update(_facts(_post(influx, f"/api/v2/query?org={influx.org}", body).decode()))
    return found


def _facts(answer: str) -> Iterator[Fact]:
    kinds: dict[str, str] = {}
    types: list[str] = []
    names: list[str] = []
    for row in csv.reader(io.StringIO(answer, newline="")):
        # a line feed inside a cell comes with a carriage return
        cells = [cell.replace("\r\n", "\n") for cell in row]
        if not cells:
            names = []
        elif cells[0] == "#datatype":
            types = cells
        elif not names:
            names = cells
            kinds = dict(zip(names, types, strict=True))
        else:
            one = dict(zip(names[3:], cells[3:], strict=True))
            time_ns, field, text = int(one.pop("_time")), one.pop("_field"), one.pop("_value")
            value = float(text) if kinds["_value"] == "double" else text
            yield tuple(sorted((key, tag) for key, tag in one.items() if tag)), field, time_ns, value


def series_keys(influx: InfluxServer, bucket: str) -> list[str]:
    """The keys of all series, as the server has them."""
    return sorted(key for series in _ask(influx, bucket, "SHOW SERIES") for (key,) in series["values"])


def _ask(influx: InfluxServer, bucket: str, statement: str) -> list[dict[str, Any]]:
    query = urllib.parse.urlencode({"db": bucket, "epoch": "ns", "q": statement})
    answer: dict[str, Any] = json.loads(_request(influx, "GET", f"/query?{query}", None))
    found: list[dict[str, Any]] = answer["results"][0].get("series", [])
    return found


def _post(influx: InfluxServer, path: str, body: dict[str, Any]) -> bytes:
    return _request(influx, "POST", path, json.dumps(body).encode())


def _request(influx: InfluxServer, method: str, path: str, body: bytes | None) -> bytes:
    headers = {"Authorization": f"Token {influx.token}", "Content-Type": "application/json"}
    request = urllib.request.Request(influx.url + path, data=body, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        read: bytes = answer.read()
    return read
