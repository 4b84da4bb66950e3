"""What a server holds, read from its CSV answers by the place of the columns: a tag may be called ``result`` or ``table``."""

from __future__ import annotations

import csv
import io
import json
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from tests.conftest import InfluxServer

Tags = tuple[tuple[str, str], ...]
Key = tuple[Tags, str, int]
OWN = ("_start", "_stop", "_time", "_value", "_field", "_measurement")
NUMBERS = {"long": int, "unsignedLong": int, "double": float, "boolean": "true".__eq__}


def stored_values(server: InfluxServer, bucket: str, measurement: str) -> dict[Key, Any]:
    """Value by tags, field and time of all times but the far ones; a doubled key fails."""
    name = "".join(f"\\x{ord(c):02x}" if c in '"\\$' or c < " " else c for c in measurement)
    flux = (
        f'from(bucket: "{bucket}") |> range(start: 1970-01-01T00:00:00Z, stop: 2100-01-01T00:00:00Z)'
        f' |> filter(fn: (r) => r._measurement == "{name}")'
    )
    found: dict[Key, Any] = {}
    for names, types, records in _blocks(_csv_answer(server, flux)):
        for record in records:
            cells = dict(zip(names[3:], record[3:], strict=True))
            kind = types[3:][names[3:].index("_value")]
            tags = tuple(sorted((key, text) for key, text in cells.items() if key not in OWN and text))
            key = tags, cells["_field"], int(pd.Timestamp(cells["_time"]).value)
            assert key not in found, f"two values for {key}"
            found[key] = NUMBERS.get(kind, str)(cells["_value"])
    return found


def _csv_answer(server: InfluxServer, flux: str) -> str:
    body = {"query": flux, "dialect": {"annotations": ["datatype", "group", "default"], "header": True}}
    request = urllib.request.Request(
        f"{server.url}/api/v2/query?{urllib.parse.urlencode({'org': server.org})}",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Token {server.token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        text: str = answer.read().decode()
    return text


def _blocks(text: str) -> list[tuple[list[str], list[str], list[list[str]]]]:
    blocks: list[tuple[list[str], list[str], list[list[str]]]] = []
    types: list[str] = []
    is_header = False
    for record in csv.reader(io.StringIO(text, newline="")):
        if not record:
            continue
        if record[0] == "#datatype":
            types, is_header = record, True
        elif record[0].startswith("#"):
            continue
        elif is_header:
            blocks.append((record, types, []))
            is_header = False
        else:
            blocks[-1][2].append(record)
    return blocks
