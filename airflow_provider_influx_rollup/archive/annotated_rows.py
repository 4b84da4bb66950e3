"""Annotated CSV to rows: one dict per record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from airflow_provider_influx_rollup.archive.annotated_csv import (
    Block,
    BlockSplitter,
    Doubts,
    ErrorFromText,
    Segment,
    decode_records,
    parse_records,
)
from airflow_provider_influx_rollup.exceptions import TooManyRows

Column = tuple[str, Callable[[str], Any] | None, str]


class Row(dict[str, Any]):
    """One record by column name, and the yield it came from: a tag may be called ``result`` or ``table`` too.

    :param yield_name: name of the yield
    :param table_number: number of the table in the answer
    :param group_key: the columns that its table is grouped by
    """

    __slots__ = ("group_key", "table_number", "yield_name")

    def __init__(
        self,
        columns: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        *,
        yield_name: str = "",
        table_number: int | None = None,
        group_key: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(columns)
        self.yield_name = yield_name
        self.table_number = table_number
        self.group_key = group_key

    def with_yield(self) -> dict[str, Any]:
        """The columns, and ``result`` and ``table``, for people; a column that is called so stays."""
        return {"result": self.yield_name, "table": self.table_number, **self}


@lru_cache(maxsize=4096)
def parse_time(text: str) -> datetime:
    """RFC 3339 to an aware UTC time; digits finer than a microsecond are cut off."""
    return datetime.fromisoformat(text)


def _is_true(text: str) -> bool:
    return text == "true"


CONVERTERS: dict[str, Callable[[str], Any]] = {
    "long": int,
    "unsignedLong": int,
    "double": float,
    "boolean": _is_true,
    "dateTime": parse_time,
    "dateTime:RFC3339": parse_time,
    "dateTime:RFC3339Nano": parse_time,
}


class RowDecoder:
    """Decode an answer into rows.

    The annotation columns result and table are known by position, so tags of these names stay. Longs are int, doubles float, times aware
    ``datetime`` in UTC (microseconds), strings, durations and base64 binary str. A missing value is None, but an
    empty string cell is ``""``: the format does not tell an empty string from a missing one.

    :param error_from_text: makes the error of a message that the server put into the answer
    :param keeps_bytes: whether bytes that are not UTF-8 become lone surrogates; else they are an error
    :param is_final: whether ``doubts`` are ignored
    :param max_rows: most rows of the answer; None: any number
    """

    def __init__(
        self,
        error_from_text: ErrorFromText,
        *,
        keeps_bytes: bool = False,
        is_final: bool = True,
        max_rows: int | None = None,
    ) -> None:
        self._max_rows = max_rows
        self._is_final = is_final
        self._error_from_text = error_from_text
        self._keeps_bytes = keeps_bytes
        self._splitter = BlockSplitter(error_from_text, keeps_bytes=keeps_bytes)
        self._rows: list[Row] = []

    def feed(self, data: bytes) -> None:
        """Take more bytes of the answer.

        :raises TooManyRows: when it has more than ``max_rows``
        """
        for segment in self._splitter.feed(data):
            self._rows.extend(self._decode(segment))
        if self._max_rows is not None and len(self._rows) > self._max_rows:
            what = f"the query returns more than {self._max_rows:,} rows, and was cancelled"
            fix = "let the query aggregate or limit its rows, or raise max_query_rows in the connection or in [influx_rollup]"
            raise TooManyRows(what, fix=fix)

    @property
    def doubts(self) -> Doubts:
        """Places at which the rows may have lost carriage returns."""
        return self._splitter.doubts

    def close(self) -> list[Row]:
        """Check that the answer is complete and return its rows.

        :raises InfluxTruncated: when it stops in the middle
        :raises InfluxError: what the server says in the answer
        """
        self._splitter.close()
        return self._rows

    def _decode(self, segment: Segment) -> list[Row]:
        block = segment.block
        names = block.names[2:]
        check_names(block, names, self._error_from_text, is_final=self._is_final)
        columns = [
            (name, CONVERTERS.get(kind), default)
            for name, kind, default in zip(names, block.types[2:], block.defaults[2:], strict=True)
        ]
        grouped = frozenset(name for name, is_key in zip(names, block.groups[2:], strict=True) if is_key)
        records = parse_records(decode_records(segment, self._error_from_text, keeps_bytes=self._keeps_bytes))
        try:
            return [_decode_record(block, columns, grouped, record) for record in records]
        except ValueError as error:
            message = f"the answer cannot be read: {error}"
            raise self._error_from_text(message) from None


def _decode_record(block: Block, columns: list[Column], grouped: frozenset[str], record: list[str]) -> Row:
    _, result, table, *cells = record
    number = table or block.defaults[1]
    row = Row(
        yield_name=result or block.result,
        table_number=int(number) if number else None,
        group_key=grouped,
    )
    for (name, convert, default), cell in zip(columns, cells, strict=True):
        text = cell or default
        row[name] = text if convert is None else convert(text) if text else None
    return row


def check_names(
    block: Block, names: tuple[str, ...], error_from_text: ErrorFromText, *, is_final: bool
) -> None:
    """Refuse two columns of one name: one of them would be lost.

    :param is_final: whether names that may have lost a carriage return are not read again
    """
    if (is_final or not block.has_quoted_name) and len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        message = f"the answer has two columns of the name {', '.join(twice)} among {', '.join(block.names)}"
        raise error_from_text(message)
