"""Texts that a query gave in hexadecimal, put back where they belong; see ``flux/whole_texts.py``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from airflow_provider_influx_rollup.archive.annotated_csv import (
    BlockSplitter,
    Doubts,
    ErrorFromText,
)
from airflow_provider_influx_rollup.archive.annotated_rows import Row
from airflow_provider_influx_rollup.flux.whole_texts import HEX_PREFIX, LOST_COLUMN
from airflow_provider_influx_rollup.rejections import NOT_TEXT

if TYPE_CHECKING:
    import pyarrow as pa

Result = TypeVar("Result")
ResultOfClose = TypeVar("ResultOfClose", covariant=True)


@dataclass(frozen=True, slots=True)
class TextsInHex:
    """The encoding of texts in answers.

    :param with_names: whether the names of the columns came in hexadecimal too
    :param keeps_bytes: whether bytes that are no UTF-8 become lone surrogates; else they are an error
    :param error_from_text: makes the error of such bytes
    """

    with_names: bool
    keeps_bytes: bool
    error_from_text: ErrorFromText

    def name(self, column: str) -> str:
        """The name of a column as the bucket has it."""
        if not self.with_names:
            return column
        return self._plain(column.removeprefix(HEX_PREFIX))

    def rows(self, rows: Iterable[Row]) -> list[Row]:
        """Put the texts back into rows."""
        return [self._row(row) for row in rows]

    def tables(self, tables: Iterable[pa.Table]) -> list[pa.Table]:
        """Put the texts back into Arrow tables."""
        return [self._table(table) for table in tables]

    def digest(self, digest: str) -> str:
        """The digest of an answer in hexadecimal stands for the texts."""
        return digest

    def _row(self, row: Row) -> Row:
        grouped = frozenset(self.name(one) for one in row.group_key if not one.startswith(HEX_PREFIX))
        whole = Row(yield_name=row.yield_name, table_number=row.table_number, group_key=grouped)
        for column, value in row.items():
            if column.startswith(HEX_PREFIX):
                continue
            twin = row.get(HEX_PREFIX + column)
            name = self.name(column)
            if name in whole:
                raise self._two_columns(name)
            whole[name] = self._plain(twin) if twin and isinstance(value, str) else value
        return whole

    def _table(self, table: pa.Table) -> pa.Table:
        import pyarrow as pa

        from airflow_provider_influx_rollup.archive.arrow_schema import arrow_type, is_text

        columns: dict[str, Any] = {}
        for column in table.column_names:
            if column.startswith(HEX_PREFIX):
                continue
            name = self.name(column)
            if name in columns:
                raise self._two_columns(name)
            found = table.column(column)
            if HEX_PREFIX + column in table.column_names and is_text(found.type):
                found = self._column(table.column(HEX_PREFIX + column), arrow_type("string", name))
            columns[name] = found
        fields = [pa.field(name, column.type) for name, column in columns.items()]
        return pa.table(list(columns.values()), schema=pa.schema(fields, table.schema.metadata))

    def _column(self, twin: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
        import pyarrow as pa

        if not pa.types.is_dictionary(twin.type):
            twin = twin.dictionary_encode()
        twin = twin.unify_dictionaries()
        chunks = [
            pa.DictionaryArray.from_arrays(
                chunk.indices,
                pa.array([self._plain(text) for text in chunk.dictionary.to_pylist()], pa.string()),
            )
            for chunk in twin.chunks
        ]
        return pa.chunked_array(chunks, twin.type).cast(kind)

    def _plain(self, hexadecimal: str) -> str:
        data = bytes.fromhex(hexadecimal)
        try:
            return data.decode("utf-8", "surrogateescape" if self.keeps_bytes else "strict")
        except UnicodeDecodeError:
            message = f"the answer holds {NOT_TEXT}: {data!r}"
            raise self.error_from_text(message) from None

    def _two_columns(self, name: str) -> Exception:
        message = f"the answer has two columns of the name {name}; rename() the tag in the query"
        return self.error_from_text(message)


class DoubtfulDecoder(Protocol[ResultOfClose]):
    """Takes an answer in pieces and knows where it may have lost carriage returns."""

    @property
    def doubts(self) -> Doubts:
        """Where, as of what came so far."""

    def feed(self, data: bytes) -> object:
        """Take more bytes."""

    def close(self) -> ResultOfClose:
        """Check the end and return what was decoded."""


class WithDoubts(Generic[Result]):
    """Decode an answer, and tell its doubts with it."""

    def __init__(self, decoder: DoubtfulDecoder[Result]) -> None:
        self._decoder = decoder

    def feed(self, data: bytes) -> None:
        """Take more bytes of the answer."""
        self._decoder.feed(data)

    def close(self) -> tuple[Result, Doubts]:
        """Check the end and return both."""
        return self._decoder.close(), self._decoder.doubts


class TablesDecoder:
    """Decode an answer into Arrow tables, one per yield and schema.

    :param error_from_text: makes the error of a message that the server put into the answer
    """

    def __init__(self, error_from_text: ErrorFromText) -> None:
        from airflow_provider_influx_rollup.archive.annotated_arrow import ArrowDecoder

        self._decoder = ArrowDecoder(error_from_text, is_final=False)
        self._tables: list[pa.Table] = []

    @property
    def doubts(self) -> Doubts:
        """Places at which the tables may have lost carriage returns."""
        return self._decoder.doubts

    def feed(self, data: bytes) -> None:
        """Take more bytes of the answer."""
        self._tables += self._decoder.feed(data)

    def close(self) -> list[pa.Table]:
        """Check that the answer is complete and return its tables."""
        from airflow_provider_influx_rollup.archive.annotated_arrow import merge_tables

        return merge_tables([*self._tables, *self._decoder.close()])


class LostTextsThere:
    """Whether the answer of ``lost_text_query`` has a row.

    :param error_from_text: makes the error of a message that the server put into the answer
    """

    def __init__(self, error_from_text: ErrorFromText) -> None:
        self._splitter = BlockSplitter(error_from_text, keeps_bytes=True)
        self._has_rows = False

    def feed(self, data: bytes) -> None:
        """Take more bytes of the answer."""
        segments = self._splitter.feed(data)
        self._has_rows |= any(LOST_COLUMN in segment.block.names for segment in segments)

    def close(self) -> bool:
        """Check that the answer is complete."""
        self._splitter.close()
        return self._has_rows
