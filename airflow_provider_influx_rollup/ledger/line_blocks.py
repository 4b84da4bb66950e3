"""Line protocol of many rows at once: the work per row is all in Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.arrow_numbers import array_of
from airflow_provider_influx_rollup.ledger.line_protocol import (
    encode_field_key,
    encode_measurement,
    encode_series,
    encode_tag,
    encode_value,
    require_short,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

TagSet = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class FieldValues:
    """One field: a value for some pairs of series and window, each pair at most once.

    :param series: index into the tag sets
    :param window: index into the times
    :param values: finite floats, integers, booleans, or strings as objects
    :param is_unsigned: whether integers are written as uint64
    """

    series: NDArray[Any]
    window: NDArray[Any]
    values: NDArray[Any]
    is_unsigned: bool = False


def encode_rows(
    measurement: str, tag_sets: Sequence[TagSet], times_ns: Sequence[int], columns: Mapping[str, FieldValues]
) -> list[str]:
    """Encode one line for each pair of series and time that has a value, sorted by series and time.

    :param tag_sets: the series, with the tag keys in ascending order
    :param times_ns: nanoseconds since the epoch, UTC
    :param columns: at least one field
    :raises InvalidName: when the server would refuse a name or read it back as another one
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = {name: column.series * len(times_ns) + column.window for name, column in columns.items()}
    rows = np.unique(np.concatenate(list(keys.values())))
    pieces = []
    for name in sorted(columns):
        place = np.full(len(rows), len(keys[name]), np.int64)
        place[np.searchsorted(rows, keys[name])] = np.arange(len(keys[name]))
        texts = _texts(name, columns[name])
        # one more entry, null: the rows that have no value of this field
        pieces.append(pa.concat_arrays([texts, pa.nulls(1, pa.large_string())]).take(array_of(place)))
    series, window = np.divmod(rows, len(times_ns))
    heads = _strings(_heads(measurement, tag_sets, list(columns)))
    times = _strings([str(time) for time in times_ns])
    body = pieces[0]
    if len(pieces) > 1:
        body = pc.binary_join_element_wise(*pieces, _text(","), null_handling="skip")
    lines = pc.binary_join_element_wise(
        heads.take(array_of(series)), body, times.take(array_of(window)), _text(" ")
    )
    encoded: list[str] = lines.to_pylist()
    return encoded


def _heads(measurement: str, tag_sets: Sequence[TagSet], fields: Sequence[str]) -> list[str]:
    """The begin of each series' lines; a tag that many series have is checked and escaped once."""
    tags = {tag for tag_set in tag_sets for tag in tag_set}
    if any('"' in text for text in (measurement, *fields, *chain.from_iterable(tags))):
        # what a quote may stand beside is a matter of all names of a line
        return [encode_series(measurement, dict(tag_set), fields) for tag_set in tag_sets]
    head = encode_measurement(measurement)
    encoded = {tag: encode_tag(*tag) for tag in tags}
    heads = [",".join([head, *(encoded[tag] for tag in tag_set)]) for tag_set in tag_sets]
    require_short(heads, fields)
    return heads


def _texts(name: str, column: FieldValues) -> pa.Array:
    """``name=value`` of each value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    head = encode_field_key(name) + "="
    kind = column.values.dtype.kind
    if kind == "f":
        # Arrow prints the shortest text that reads back as the same float
        return pc.binary_join_element_wise(
            _text(head), array_of(column.values).cast(pa.large_string()), _text("")
        )
    if kind in "iu":
        mark = "u" if column.is_unsigned else "i"
        return pc.binary_join_element_wise(
            _text(head), array_of(column.values).cast(pa.large_string()), _text(mark), _text("")
        )
    return _strings([head + encode_value(name, value) for value in column.values.tolist()])


def _strings(texts: Sequence[str]) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    encoded = [text.encode() for text in texts]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.large_string(), len(encoded), buffers)


def _text(text: str) -> pa.Scalar:
    return _strings([text])[0]
