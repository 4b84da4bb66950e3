"""Annotated CSV, as Flux answers come: bytes in, blocks of whole records out. No sockets.

An answer is a row of blocks. A block is some ``#`` annotation records, one record of column names, its data records and an
empty line. Strings may hold quotes, newlines and text that looks like an annotation, so every border is looked for outside
quotes only. Flux writes a newline inside a string as CRLF and loses a CR: CRLF is turned back into LF, the CR is gone. A text
that had a CR is always quoted: ``Doubts`` say where one may be missing.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_influx_rollup.exceptions import InfluxError, InfluxTruncated
from airflow_provider_influx_rollup.rejections import NOT_TEXT
from airflow_provider_influx_rollup.shown_text import shown_text

CRLF = b"\r\n"
BORDER = b"\r\n\r\n"
PANIC = b'{"code":'
#: what helps against them: the predicates of deletes cannot name them
NOT_TEXT_FIX = (
    "write these points again as UTF-8, and delete the old ones: by their other tags and times, or by InfluxQL, which takes "
    'a pattern with a dot for each such byte: POST /query?db=BUCKET with q=DELETE FROM "MEASUREMENT" WHERE "TAG" =~ /^K.ln$/'
)
DEFAULT_SEGMENT_BYTES = 1 << 20
#: what an empty line is read as
NO_RECORDS: tuple[list[str], ...] = ([], [""])

ErrorFromText = Callable[[str], InfluxError]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The columns of one block, without the annotation column before them.

    :param names: column names; the first two are ``result`` and ``table``
    :param types: Flux types, such as ``double`` or ``dateTime:RFC3339``
    :param groups: whether the column is in the group key
    :param defaults: what an empty cell stands for
    :param has_quoted_name: whether a name among them is quoted
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    groups: tuple[bool, ...]
    defaults: tuple[str, ...]
    has_quoted_name: bool = False

    @property
    def text_columns(self) -> set[str]:
        """Names of the columns that hold text."""
        return {name for name, kind in zip(self.names[2:], self.types[2:], strict=True) if kind == "string"}

    @property
    def result(self) -> str:
        """The name of the yield."""
        return self.defaults[0]

    @property
    def is_error(self) -> bool:
        """Whether the block carries an error instead of rows."""
        return self.names == ("error", "reference")


@dataclass(frozen=True, slots=True)
class Doubts:
    """Places at which an answer may have lost carriage returns: a text that had one is quoted, and so are others.

    :param columns: text columns of tables that have a quote
    :param has_names: whether a column's own name is quoted
    """

    columns: frozenset[str] = frozenset()
    has_names: bool = False

    def __bool__(self) -> bool:
        return bool(self.columns or self.has_names)


@dataclass(frozen=True, slots=True)
class Segment:
    """Whole records of one block.

    :param data: the records, each ended by CRLF
    :param is_quoted: whether there is a quote in them
    """

    block: Block
    data: bytes
    is_quoted: bool


def parse_records(text: str) -> list[list[str]]:
    """Split CSV text into records of cells, with CRLF inside quotes turned into LF."""
    if '"' not in text:
        return [line.split(",") for line in text.split("\r\n") if line]
    try:
        records = [one for one in csv.reader(io.StringIO(text, newline="")) if one not in NO_RECORDS]
    except csv.Error:
        # it refuses cells over 128 KiB, unless a setting of the whole process is changed
        return _parse_by_quotes(text)
    # the last record may have no end
    if text.removesuffix("\r\n").count("\r\n") >= len(records):
        return [[cell.replace("\r\n", "\n") for cell in record] for record in records]
    return records


def _parse_by_quotes(text: str) -> list[list[str]]:
    records: list[list[str]] = [[""]]
    parts = text.split('"')
    for index, part in enumerate(parts):
        if index % 2:
            records[-1][-1] += part.replace("\r\n", "\n")
        elif not part and 0 < index < len(parts) - 1:
            records[-1][-1] += '"'  # nothing between two quoted pieces: a doubled quote
        else:
            _append_plain(records, part)
    return [record for record in records if record not in NO_RECORDS]


def _append_plain(records: list[list[str]], part: str) -> None:
    """Add text outside quotes, which ends cells and records."""
    for number, line in enumerate(part.split("\r\n")):
        if number:
            records.append([""])
        first, *others = line.split(",")
        records[-1][-1] += first
        records[-1].extend(others)


class BlockSplitter:
    """Cut a stream of annotated CSV into segments of whole records.

    :param error_from_text: makes the error of a message that the server put into the answer
    :param may_be_empty: whether an answer of no bytes at all is complete
    :param segment_bytes: a block longer than this is handed out in pieces
    :param keeps_bytes: whether bytes that are not UTF-8 become lone surrogates in names; else they are an error
    """

    def __init__(
        self,
        error_from_text: ErrorFromText,
        *,
        may_be_empty: bool = False,
        segment_bytes: int = DEFAULT_SEGMENT_BYTES,
        keeps_bytes: bool = False,
    ) -> None:
        self._error_from_text = error_from_text
        self._is_started = may_be_empty
        self._segment_bytes = segment_bytes
        self._buffer = b""
        self._pos = 0  # start of what is not handed out yet, always a record's start
        self._scan = 0  # no border begins before this
        self._is_odd = False  # whether a quote is open at _scan
        self._block: Block | None = None
        self._known: dict[bytes, Block] = {}
        self._keeps_bytes = keeps_bytes
        self._quoted: set[Block] = set()

    @property
    def doubts(self) -> Doubts:
        """Places at which the answer so far may have lost carriage returns."""
        columns = {name for block in self._quoted for name in block.text_columns}
        return Doubts(frozenset(columns), any(block.has_quoted_name for block in self._known.values()))

    def feed(self, data: bytes) -> list[Segment]:
        """Take more bytes; return the segments that are complete."""
        if not data:
            return []
        self._is_started = True
        self._buffer = self._buffer[self._pos :] + data
        self._scan -= self._pos
        self._pos = 0
        segments: list[Segment] = []
        while self._read_header() if self._block is None else self._read_body(segments):
            pass
        self._read_long_body(segments)
        return segments

    def close(self) -> None:
        """Check that the answer is complete.

        :raises InfluxTruncated: when it stops in the middle
        :raises InfluxError: what the server says at the end of the answer
        """
        rest = self._buffer[self._pos :]
        if self._block is not None and self._block.is_error and rest.endswith(CRLF):
            message = next((record[1] for record in parse_records(self._text(rest)) if len(record) > 1), "")
            raise self._error_from_text(message or "the server gave an error without a message")
        if rest or self._block is not None or not self._is_started:
            raise self._unfinished(rest)

    def _unfinished(self, rest: bytes) -> InfluxError:
        start = 0 if rest.startswith(PANIC) else rest.rfind(CRLF + PANIC) + 2
        if start != 1:
            message = _json_message(rest[start:])
            if message is not None:
                return self._error_from_text(message)
        if self._block is None and rest and rest[:1] not in b"#\r":
            return self._error_from_text(f"the answer is not annotated CSV: {rest[:200]!r}")
        what = "the answer stops in the middle"
        return InfluxTruncated(what, fix="run it again; nothing of the answer was used")

    def _text(self, data: bytes) -> str:
        return decode_text(data, self._error_from_text, keeps_bytes=self._keeps_bytes)

    def _read_header(self) -> bool:
        while self._buffer.startswith(CRLF, self._pos):
            self._pos += 2
        end = self._pos
        is_last = False
        while not is_last:
            is_last = self._buffer[end : end + 1] != b"#"
            if is_last and end == self._pos:
                return False  # nothing yet, or no annotated CSV: close() tells
            end = self._record_end(end)
            if end < 0:
                return False
        raw = self._buffer[self._pos : end]
        block = self._known.get(raw)
        if block is None:
            block = self._known[raw] = self._parse_header(raw)
        self._block = block
        self._pos = self._scan = end
        self._is_odd = False
        return True

    def _record_end(self, start: int) -> int:
        end = start
        while True:
            end = self._buffer.find(CRLF, end)
            if end < 0:
                return -1
            end += 2
            if not self._has_odd_quotes(start, end):
                return end

    def _parse_header(self, raw: bytes) -> Block:
        *annotations, names = parse_records(self._text(raw))
        by_kind = {record[0]: tuple(record[1:]) for record in annotations}
        try:
            block = Block(
                names=tuple(names[1:]),
                types=by_kind["#datatype"],
                groups=tuple(cell == "true" for cell in by_kind["#group"]),
                defaults=by_kind["#default"],
                has_quoted_name=b'"' in raw,
            )
        except KeyError as missing:
            message = f"the answer has no {missing.args[0]} annotation"
            raise self._error_from_text(message) from None
        if len({len(block.names), len(block.types), len(block.groups), len(block.defaults)}) != 1:
            message = f"the annotations of the answer do not fit its columns {', '.join(block.names)}"
            raise self._error_from_text(message)
        return block

    def _read_body(self, segments: list[Segment]) -> bool:
        """Hand out the block up to its empty line; False when that has not come yet."""
        if self._block is not None and self._block.is_error:
            return False  # an error block has no empty line: close() reads it
        if self._buffer.startswith(CRLF, self._pos):
            self._block = None
            self._pos += 2
            return True
        end = self._find_border()
        if end < 0:
            return False
        self._emit(segments, end + 2)
        self._block = None
        self._pos = end + 4
        return True

    def _has_odd_quotes(self, start: int, end: int) -> bool:
        """Whether a quote is open after some bytes; most have none, and to find that out is ten times faster."""
        is_quoted = self._buffer.find(b'"', start, end) >= 0
        return is_quoted and self._buffer.count(b'"', start, end) % 2 == 1

    def _find_border(self) -> int:
        while True:
            found = self._buffer.find(BORDER, self._scan)
            # the last three bytes may be the begin of a border
            upto = found if found >= 0 else max(self._scan, len(self._buffer) - 3)
            self._is_odd ^= self._has_odd_quotes(self._scan, upto)
            self._scan = upto
            if found < 0 or not self._is_odd:
                return found
            self._scan += 2

    def _read_long_body(self, segments: list[Segment]) -> None:
        """Hand out what is whole of a block that is longer than a segment."""
        if self._block is None or self._block.is_error or len(self._buffer) - self._pos < self._segment_bytes:
            return
        end = len(self._buffer)
        while True:
            end = self._buffer.rfind(CRLF, self._pos, end) + 2
            if end < self._pos + 2:
                return
            if not self._has_odd_quotes(self._pos, end):
                break
            end = self._buffer.rfind(b'"', self._pos, end)
        self._emit(segments, end)
        self._pos = self._scan = end
        self._is_odd = False

    def _emit(self, segments: list[Segment], end: int) -> None:
        if self._block is not None:
            data = self._buffer[self._pos : end]
            is_quoted = b'"' in data
            if is_quoted:
                self._quoted.add(self._block)
            segments.append(Segment(self._block, data, is_quoted))


def decode_text(data: bytes, error_from_text: ErrorFromText, *, keeps_bytes: bool = False) -> str:
    """UTF-8 to text; the server stores and returns other bytes too, which nothing can tell apart later.

    :param keeps_bytes: make lone surrogates of such bytes, which ``"surrogateescape"`` turns back
    """
    if keeps_bytes:
        return data.decode("utf-8", "surrogateescape")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        start = data.rfind(CRLF, 0, error.start) + 1
        message = f"the answer holds {NOT_TEXT}, near {data[start : error.end + 20][:300]!r}"
        raise error_from_text(message) from None


def decode_records(segment: Segment, error_from_text: ErrorFromText, *, keeps_bytes: bool = False) -> str:
    """The same for records, whose columns tell where the bytes are.

    :param keeps_bytes: make lone surrogates of such bytes
    """
    data = segment.data
    if keeps_bytes:
        return data.decode("utf-8", "surrogateescape")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        start = data.rfind(CRLF, 0, error.start) + 2 if CRLF in data[: error.start] else 0
        end = data.find(CRLF, error.end)
        record = data[start : end if end >= 0 else len(data)].decode("utf-8", "surrogateescape")
        cells = next(iter(parse_records(record)), [])[3:]
        named = dict(zip(segment.block.names[2:], cells, strict=False))
        shown = ", ".join(f"{shown_text(name)}={shown_text(cell)}" for name, cell in named.items() if cell)
        message = f"the answer holds {NOT_TEXT}: {shown[:500]}"
        raise error_from_text(message) from None


def _json_message(data: bytes) -> str | None:
    try:
        message = json.loads(data)["message"]
    except (ValueError, KeyError, TypeError):
        return None
    return str(message)
