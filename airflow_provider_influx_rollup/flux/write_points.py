"""Points that a query writes by ``to()``: names that line protocol cannot hold, such as a tag that ends with a backslash."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.at_signs import own_names_stage, plain_name

# the parser takes some 20 ms for so many rows
MAX_ROWS = 1_000
MAX_CHARACTERS = 1_000_000

#: how Flux writes a value of each type, to the last bit
VALUE_TEXTS: Mapping[str, Callable[[Any], str]] = {
    "float": lambda value: f'float(v: "{float(value)!r}")',
    "integer": literals.integer,
    "unsigned": lambda value: f'uint(v: "{int(value)}")',
    "boolean": lambda value: "true" if value else "false",
    "string": literals.string,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxPoint:
    """One value of one field.

    :param tags: key and value, none of them empty
    :param kind: ``"float"``, ``"integer"``, ``"unsigned"``, ``"boolean"`` or ``"string"``
    :param time_ns: nanoseconds since the epoch, UTC
    """

    measurement: str
    tags: tuple[tuple[str, str], ...]
    field: str
    kind: str
    value: Any
    time_ns: int

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """The tags in the order of the series' key, which ``to()`` takes from the columns of its rows.

        They are sorted, so that one tag set has one key. But a value that ends with a backslash comes last: before another
        tag the server takes the backslash for an escape, and does not find the series again.
        """
        return tuple(sorted(self.tags, key=lambda tag: (tag[1].endswith("\\"), tag[0])))

    @property
    def shape(self) -> tuple[str, tuple[str, ...]]:
        """The type and tags that all rows of one table share."""
        return self.kind, tuple(key for key, _ in self.key)

    @property
    def text(self) -> str:
        """The point as a Flux record."""
        columns = {
            "_time": f"time(v: {literals.integer(self.time_ns)})",
            "_measurement": literals.string(self.measurement),
            "_field": literals.string(self.field),
            "_value": VALUE_TEXTS[self.kind](self.value),
            **{plain_name(key): literals.string(text) for key, text in self.key},
        }
        return "{" + ", ".join(f"{literals.string(key)}: {text}" for key, text in columns.items()) + "}"


def write_queries(bucket: str, points: Iterable[FluxPoint]) -> Iterator[tuple[str, int]]:
    """Queries that write points, each with how many it writes.

    :param bucket: its name
    """
    pending: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    sizes: dict[tuple[str, tuple[str, ...]], int] = {}
    for point in points:
        shape, text = point.shape, point.text
        rows = pending.setdefault(shape, [])
        if rows and (len(rows) >= MAX_ROWS or sizes[shape] + len(text) > MAX_CHARACTERS):
            yield _query(bucket, shape[1], rows), len(rows)
            rows.clear()
            sizes[shape] = 0
        rows.append(text)
        sizes[shape] = sizes.get(shape, 0) + len(text)
    for shape, rows in pending.items():
        yield _query(bucket, shape[1], rows), len(rows)


def _query(bucket: str, tags: tuple[str, ...], rows: list[str]) -> str:
    columns = ", ".join(literals.string(tag) for tag in tags)
    listed = ",\n  ".join(rows)
    return (
        f'import "array"\n\narray.from(rows: [\n  {listed},\n])\n{own_names_stage(tags)}'
        f"  |> to(bucket: {literals.string(bucket)}, tagColumns: [{columns}])"
    )
