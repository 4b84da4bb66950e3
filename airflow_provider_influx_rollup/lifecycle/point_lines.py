"""Points of an archive as line protocol: the work per point is all in Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.exceptions import InvalidName
from airflow_provider_influx_rollup.ledger.line_protocol import encode_field_key, encode_series

if TYPE_CHECKING:
    import pyarrow as pa

NOT_TAGS = ("_time", "_field", "_value")
# more lines per request gain less than 6 %, and a body may not be larger than some 50 MB
BODY_LINES = 10_000
MOST_BODY_BYTES = 5_000_000


def encode_points(measurement: str, batch: pa.RecordBatch) -> Iterator[tuple[bytes, int]]:
    """Request bodies, each with how many lines it has; one line for each point, with a newline at its end.

    :param batch: ``_time``, ``_field``, ``_value`` and tags, of which null stands for absent
    :raises InvalidName: when line protocol cannot hold a name
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    heads = _heads(measurement, batch)
    times = batch.column("_time").cast(pa.int64()).cast(pa.large_string())
    space, end = pa.scalar(" ", pa.large_string()), pa.scalar("\n", pa.large_string())
    empty = pa.scalar("", pa.large_string())
    texts = _value_texts(batch.column("_value"))
    lines = pc.binary_join_element_wise(heads.texts.take(heads.places), texts, space, times, end, empty)
    if any(heads.alone):
        is_alone = pa.array(heads.alone).take(heads.places)
        yield from bodies_of(lines.filter(is_alone), most_lines=1)
        lines = lines.filter(pc.invert(is_alone))
    yield from bodies_of(lines)


def check_names(measurement: str, batch: pa.RecordBatch) -> None:
    """Make sure that line protocol can hold the names of some points.

    :param batch: ``_field`` and tags
    :raises InvalidName: when it cannot
    """
    _heads(measurement, batch)


def bodies_of(lines: pa.Array, most_lines: int = BODY_LINES) -> Iterator[tuple[bytes, int]]:
    """Lines as request bodies, without a copy for each line.

    :param lines: large strings, each with a newline at its end
    """
    import numpy as np

    if not len(lines):
        return
    offsets = np.frombuffer(lines.buffers()[1], np.int64)[lines.offset : lines.offset + len(lines) + 1]
    data = memoryview(lines.buffers()[2])
    start = 0
    while start < len(lines):
        most = np.searchsorted(offsets, offsets[start] + MOST_BODY_BYTES, side="right") - 1
        stop = min(start + most_lines, max(int(most), start + 1), len(lines))
        yield bytes(data[offsets[start] : offsets[stop]]), stop - start
        start = stop


@dataclass(frozen=True)
class _Heads:
    """The begins of lines.

    :param texts: ``measurement,tags field=`` of each series and field
    :param alone: which of them the server only reads right as the one line of a request
    :param places: which of them each point has
    """

    texts: pa.Array
    alone: list[bool]
    places: pa.Array


def _heads(measurement: str, batch: pa.RecordBatch) -> _Heads:
    import numpy as np
    import pyarrow as pa

    names = [*sorted(name for name in batch.schema.names if name not in NOT_TAGS), "_field"]
    columns = [_coded(batch.column(name)) for name in names]
    is_first = np.ones(batch.num_rows, np.bool_)
    if batch.num_rows:
        is_first[1:] = np.logical_or.reduce([codes[1:] != codes[:-1] for _, codes in columns])
    # points of one series and field follow each other, so there are few runs
    starts = np.flatnonzero(is_first)
    runs, rows = _distinct([codes[starts] for _, codes in columns])
    lengths = np.diff(np.append(starts, batch.num_rows))
    heads = [
        _head(measurement, names[:-1], [texts[place] for (texts, _), place in zip(columns, row, strict=True)])
        for row in rows
    ]
    places = np.repeat(np.array(runs, np.int64), lengths)
    texts = pa.array([text for text, _ in heads], pa.large_string())
    return _Heads(texts, [is_alone for _, is_alone in heads], pa.array(places))


def _distinct(columns: Sequence[Any]) -> tuple[list[int], list[tuple[int, ...]]]:
    """Number the distinct rows of some columns of codes: the number of each row, and the rows."""
    known: dict[tuple[int, ...], int] = {}
    rows = zip(*(column.tolist() for column in columns), strict=True)
    numbers = [known.setdefault(row, len(known)) for row in rows]
    return numbers, list(known)


def _head(measurement: str, names: Sequence[str], texts: Sequence[str | None]) -> tuple[str, bool]:
    *tags, last = texts
    field = last or ""
    present = {name: tag for name, tag in zip(names, tags, strict=True) if tag}
    is_alone = False
    try:
        series = encode_series(measurement, present, [field])
    except InvalidName:
        series = encode_series(measurement, present, [field], is_alone=True)
        is_alone = True
    return f"{series} {encode_field_key(field)}=", is_alone


def _coded(column: Any) -> tuple[list[str | None], Any]:
    """The texts of a column, None as the last, and the place of each row's."""
    import pyarrow as pa

    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    texts = coded.dictionary.to_pylist()
    return [*texts, None], coded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)


def _value_texts(values: Any) -> pa.Array:
    """Values as line protocol has them; floats in the shortest text that reads back as the same bits."""
    import pyarrow as pa
    import pyarrow.compute as pc

    empty = pa.scalar("", pa.large_string())
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    texts = values.cast(pa.large_string())
    if pa.types.is_string(kind):
        texts = pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), '"', '\\"')
        quote = pa.scalar('"', pa.large_string())
        return pc.binary_join_element_wise(quote, texts, quote, empty)
    if pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return texts
    mark = pa.scalar("u" if pa.types.is_unsigned_integer(kind) else "i", pa.large_string())
    return pc.binary_join_element_wise(texts, mark, empty)
