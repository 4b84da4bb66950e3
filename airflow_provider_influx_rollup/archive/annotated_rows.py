"""Annotated CSV to rows: one dict per record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from airflow_provider_influx_rollup.archive.annotated_csv import (
    Block,
    BlockSplitter,
    ErrorFromText,
    Segment,
    decode_text,
    parse_records,
)

Row = dict[str, Any]
Column = tuple[str, Callable[[str], Any] | None, str]


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
    """Decode an answer into dicts, by column name.

    ``result`` and ``table`` are the yield's name and the table's number. Longs are int, doubles float, times aware
    ``datetime`` in UTC (microseconds), strings, durations and base64 binary str. A missing value is None, but an
    empty string cell is ``""``: the format does not tell an empty string from a missing one.

    :param error_from_text: makes the error of a message that the server put into the answer
    """

    def __init__(self, error_from_text: ErrorFromText) -> None:
        self._error_from_text = error_from_text
        self._splitter = BlockSplitter(error_from_text)
        self._rows: list[Row] = []

    def feed(self, data: bytes) -> None:
        """Take more bytes of the answer."""
        for segment in self._splitter.feed(data):
            self._rows.extend(self._decode(segment))

    def close(self) -> list[Row]:
        """Check that the answer is complete and return its rows.

        :raises InfluxTruncated: when it stops in the middle
        :raises InfluxError: what the server says in the answer
        """
        self._splitter.close()
        return self._rows

    def _decode(self, segment: Segment) -> list[Row]:
        block = segment.block
        check_names(block, block.names, self._error_from_text)
        columns = [
            (name, CONVERTERS.get(kind), default)
            for name, kind, default in zip(block.names, block.types, block.defaults, strict=True)
        ]
        records = parse_records(decode_text(segment.data, self._error_from_text))
        try:
            return [_decode_record(columns, record) for record in records]
        except ValueError as error:
            message = f"the answer cannot be read: {error}"
            raise self._error_from_text(message) from None


def _decode_record(columns: list[Column], record: list[str]) -> Row:
    row: Row = {}
    for (name, convert, default), cell in zip(columns, record[1:], strict=True):
        text = cell or default
        row[name] = text if convert is None else convert(text) if text else None
    return row


def check_names(block: Block, names: tuple[str, ...], error_from_text: ErrorFromText) -> None:
    """Refuse two columns of one name: one of them would be lost."""
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        message = (
            f"the answer has two columns of the name {', '.join(twice)}"
            f" among {', '.join(block.names)}; rename() the tag in the query"
        )
        raise error_from_text(message)
