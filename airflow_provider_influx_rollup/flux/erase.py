"""Queries over series that have some tags: where their points are, and the records that name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.flux.filters import tag_filter
from airflow_provider_influx_rollup.flux.ledger_rows import UNBOUNDED, chain, is_any, records_of
from airflow_provider_influx_rollup.flux.query import PointsQuery, RowsQuery
from airflow_provider_influx_rollup.flux.rollup import RollupSource, render_source
from airflow_provider_influx_rollup.ledger.copies import COPIES_MEASUREMENT, CopiedTo, decode_copies
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row

#: of a record, in nanoseconds
EXACT_TIME = "exact_time_ns"
NOT_TAGS = frozenset({"_time", "_value", "_field", "_measurement", EXACT_TIME})
# columns of a rendered point that are no tags
BOUNDS = '  |> drop(columns: ["_start", "_stop", "_measurement"])'


@dataclass(frozen=True, slots=True)
class PointEdges(RowsQuery[list[datetime]]):
    """The times of the first and of the last point.

    Of a series whose field has other types in other shard groups it finds the points of one type only.
    """

    source: RollupSource
    interval: Interval

    def flux(self) -> str:
        kept = '  |> keep(columns: ["_time"])\n  |> group()'
        source = render_source(self.source, self.interval)
        return "\n\n".join(
            f'{source}\n  |> {name}()\n{kept}\n  |> {edge}(column: "_time")\n  |> yield(name: "{name}")'
            for name, edge in (("first", "min"), ("last", "max"))
        )

    def read(self, rows: Sequence[Row]) -> list[datetime]:
        return [row["_time"] for row in rows]


@dataclass(frozen=True, slots=True)
class MatchingPoints(PointsQuery):
    """All points; the slice must be bounded, for the server gathers the answer."""

    source: RollupSource
    interval: Interval

    def flux(self) -> str:
        return f"{render_source(self.source, self.interval)}\n{BOUNDS}"


@dataclass(frozen=True, slots=True)
class TextRecord:
    """A text of the ledger, with the tags and the time of its record."""

    text: str
    tags: Mapping[str, str]
    time_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRecords(RowsQuery[list[TextRecord]]):
    """The texts of one field of the ledger's records; empty ones are left out.

    :param tags: of the records
    """

    ledger_bucket: str
    measurement: str
    field: str
    tags: Mapping[str, str]
    interval: Interval

    def flux(self) -> str:
        return _texts(self.ledger_bucket, self.measurement, self.field, self.tags, self.interval)

    def read(self, rows: Sequence[Row]) -> list[TextRecord]:
        return [TextRecord(row["_value"], _tags(row), row[EXACT_TIME]) for row in rows]


@dataclass(frozen=True, slots=True)
class CopiesRecords(RowsQuery[list[CopiedTo]]):
    """The places to which validations copy points.

    :param tags: of the records
    """

    ledger_bucket: str
    tags: Mapping[str, str]
    interval: Interval
    result = "copies"

    def flux(self) -> str:
        return _texts(self.ledger_bucket, COPIES_MEASUREMENT, "changed_tags", self.tags, self.interval)

    def read(self, rows: Sequence[Row]) -> list[CopiedTo]:
        return decode_copies(rows)


def _texts(
    ledger_bucket: str, measurement: str, field: str, tags: Mapping[str, str], interval: Interval
) -> str:
    field_is = is_any("_field", [field])
    return chain(
        *records_of(ledger_bucket, interval, measurement, field_is),
        *([tag_filter(tags).strip()] if tags else []),
        '|> filter(fn: (r) => r._value != "")',
        UNBOUNDED,
        # the client's times have microseconds
        f"|> map(fn: (r) => ({{r with {EXACT_TIME}: int(v: r._time)}}))",
    )


def _tags(row: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in row.items() if key not in NOT_TAGS and value not in (None, "")}
