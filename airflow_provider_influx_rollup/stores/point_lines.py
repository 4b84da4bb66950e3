"""Points of an archive as line protocol: the work per point is all in Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.archive.value_kinds import kind_of
from airflow_provider_influx_rollup.arrow_numbers import array_of, numbers_of, rows_where
from airflow_provider_influx_rollup.exceptions import InvalidName
from airflow_provider_influx_rollup.flux.write_points import FluxPoint
from airflow_provider_influx_rollup.ledger.line_protocol import encode_field_key, encode_series
from airflow_provider_influx_rollup.stores.wide_lines import PointTexts, lines_of, wide_lines_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

NOT_TAGS = ("_time", "_field", "_value")
# more lines per request gain less than 6 %, and a body may not be larger than some 50 MB
BODY_LINES = 10_000
MAX_BODY_BYTES = 5_000_000


def encode_points(
    measurement: str, batches: Sequence[pa.RecordBatch], unheld: list[FluxPoint] | None = None
) -> Iterator[tuple[bytes, int]]:
    """Request bodies, each with how many points it has; one line for all fields of a series and time.

    :param batches: ``_time``, ``_field``, ``_value`` and tags, of which null stands for absent; no point is in two of them
    :param unheld: takes the points whose names line protocol cannot hold; known when the last body is
    :raises InvalidName: when there are some, and nothing takes them
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    together: list[PointTexts] = []
    fields: set[str] = set()
    for batch in batches:
        held, heads = _held(measurement, batch, unheld)
        texts = _texts(held, heads)
        if any(heads.alone):
            is_alone = pa.array(heads.alone).take(array_of(heads.places))
            yield from bodies_of(*lines_of([texts.filter(is_alone)]), most_lines=1)
            texts = texts.filter(pc.invert(is_alone))
        if heads.has_quote:
            # the server reads a quote by all names of its line
            yield from bodies_of(*lines_of([texts]))
        else:
            together.append(texts)
            fields.update(field for _, field in heads.texts)
    if together:
        yield from bodies_of(*(wide_lines_of(together) if len(fields) > 1 else lines_of(together)))


def _held(
    measurement: str, batch: pa.RecordBatch, unheld: list[FluxPoint] | None
) -> tuple[pa.RecordBatch, _Heads]:
    """The points that line protocol can hold; the others go where they are taken."""
    import numpy as np

    heads = _heads(measurement, batch)
    if not heads.refused:
        return batch, heads
    if unheld is None:
        raise next(iter(heads.refused.values()))
    is_unheld = np.isin(heads.places, list(heads.refused))
    unheld += points_of(measurement, rows_where(batch, is_unheld))
    held = rows_where(batch, ~is_unheld)
    return held, _heads(measurement, held)


def points_of(measurement: str, batch: pa.RecordBatch) -> Iterator[FluxPoint]:
    """Each point by itself."""
    import pyarrow as pa

    kind = kind_of(batch.schema.field("_value").type)
    tags = sorted(name for name in batch.schema.names if name not in NOT_TAGS)
    columns = [batch.column(name).to_pylist() for name in tags]
    times = batch.column("_time").cast(pa.int64()).to_pylist()
    fields, values = batch.column("_field").to_pylist(), batch.column("_value").to_pylist()
    for row, (time_ns, field, value) in enumerate(zip(times, fields, values, strict=True)):
        present = tuple((tag, column[row]) for tag, column in zip(tags, columns, strict=True) if column[row])
        yield FluxPoint(
            measurement=measurement, tags=present, field=field, kind=kind, value=value, time_ns=time_ns
        )


def _texts(batch: pa.RecordBatch, heads: _Heads) -> PointTexts:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    places = array_of(heads.places)
    fields = pa.array([field for _, field in heads.texts], pa.large_string())
    empty = pa.scalar("", pa.large_string())
    bodies = pc.binary_join_element_wise(fields.take(places), _value_texts(batch.column("_value")), empty)
    known: dict[str, int] = {}
    numbers = np.array([known.setdefault(series, len(known)) for series, _ in heads.texts], np.int64)
    times = numbers_of(batch.column("_time").cast(pa.int64()))
    return PointTexts(tuple(known), numbers[heads.places], times, bodies)


def bodies_of(
    lines: pa.Array, points: NDArray[np.int64], most_lines: int = BODY_LINES
) -> Iterator[tuple[bytes, int]]:
    """Lines as request bodies, each with its points, without a copy for each line.

    :param lines: large strings, each with a newline at its end
    :param points: how many each line has
    """
    import numpy as np

    if not len(lines):
        return
    offsets = np.frombuffer(lines.buffers()[1], np.int64)[lines.offset : lines.offset + len(lines) + 1]
    data = memoryview(lines.buffers()[2])
    start = 0
    while start < len(lines):
        most = np.searchsorted(offsets, offsets[start] + MAX_BODY_BYTES, side="right") - 1
        stop = min(start + most_lines, max(int(most), start + 1), len(lines))
        yield bytes(data[offsets[start] : offsets[stop]]), int(points[start:stop].sum())
        start = stop


@dataclass(frozen=True)
class _Heads:
    """The begins of lines.

    :param texts: ``measurement,tags`` and ``field=`` of each series and field
    :param alone: which of them the server only reads right as the one line of a request
    :param places: which of them each point has
    :param refused: those that line protocol cannot hold, by place, with the reason
    """

    texts: list[tuple[str, str]]
    alone: list[bool]
    places: NDArray[np.int64]
    refused: dict[int, InvalidName]

    @property
    def has_quote(self) -> bool:
        """Whether one of the names has a double quote."""
        return any('"' in text for texts in self.texts for text in texts)


def _heads(measurement: str, batch: pa.RecordBatch) -> _Heads:
    import numpy as np

    names = [*sorted(name for name in batch.schema.names if name not in NOT_TAGS), "_field"]
    columns = [_coded(batch.column(name)) for name in names]
    is_first = np.ones(batch.num_rows, np.bool_)
    if batch.num_rows:
        is_first[1:] = np.logical_or.reduce([codes[1:] != codes[:-1] for _, codes in columns])
    # points of one series and field follow each other, so there are few runs
    starts = np.flatnonzero(is_first)
    runs, rows = _distinct([codes[starts] for _, codes in columns])
    lengths = np.diff(np.append(starts, batch.num_rows))
    heads: list[tuple[tuple[str, str], bool]] = []
    refused: dict[int, InvalidName] = {}
    for row in rows:
        texts = [known[place] for (known, _), place in zip(columns, row, strict=True)]
        try:
            heads.append(_head(measurement, names[:-1], texts))
        except InvalidName as error:
            refused[len(heads)] = error
            heads.append((("", ""), False))
    places = np.repeat(np.array(runs, np.int64), lengths)
    return _Heads([text for text, _ in heads], [is_alone for _, is_alone in heads], places, refused)


def _distinct(columns: Sequence[Any]) -> tuple[list[int], list[tuple[int, ...]]]:
    """Number the distinct rows of some columns of codes: the number of each row, and the rows."""
    known: dict[tuple[int, ...], int] = {}
    rows = zip(*(column.tolist() for column in columns), strict=True)
    numbers = [known.setdefault(row, len(known)) for row in rows]
    return numbers, list(known)


def _head(
    measurement: str, names: Sequence[str], texts: Sequence[str | None]
) -> tuple[tuple[str, str], bool]:
    *tags, last = texts
    field = last or ""
    present = {name: tag for name, tag in zip(names, tags, strict=True) if tag}
    is_alone = False
    try:
        series = encode_series(measurement, present, [field])
    except InvalidName:
        series = encode_series(measurement, present, [field], is_alone=True)
        is_alone = True
    return (series, f"{encode_field_key(field)}="), is_alone


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
