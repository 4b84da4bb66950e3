"""Points of an archive as line protocol: the work per point is all in Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.ledger.line_protocol import encode_field_key, encode_series

if TYPE_CHECKING:
    import pyarrow as pa

NOT_TAGS = ("_time", "_field", "_value")
# more lines per request gain less than 6 %, and a body may not be larger than some 50 MB
BODY_LINES = 10_000
MOST_BODY_BYTES = 5_000_000


def encode_points(measurement: str, batch: pa.RecordBatch) -> pa.Array:
    """One line for each point, each with a newline at its end.

    :param batch: ``_time``, ``_field``, ``_value`` and tags, of which null stands for absent
    :raises InvalidName: when line protocol cannot hold a name
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    heads, places = _heads(measurement, batch)
    times = batch.column("_time").cast(pa.int64()).cast(pa.large_string())
    space, end = pa.scalar(" ", pa.large_string()), pa.scalar("\n", pa.large_string())
    empty = pa.scalar("", pa.large_string())
    texts = _value_texts(batch.column("_value"))
    return pc.binary_join_element_wise(heads.take(places), texts, space, times, end, empty)


def bodies_of(lines: pa.Array) -> Iterator[tuple[bytes, int]]:
    """Request bodies without a copy per line, each with how many lines it has."""
    import numpy as np

    offsets = np.frombuffer(lines.buffers()[1], np.int64)[lines.offset : lines.offset + len(lines) + 1]
    data = memoryview(lines.buffers()[2])
    start = 0
    while start < len(lines):
        most = np.searchsorted(offsets, offsets[start] + MOST_BODY_BYTES, side="right") - 1
        stop = min(start + BODY_LINES, max(int(most), start + 1), len(lines))
        yield bytes(data[offsets[start] : offsets[stop]]), stop - start
        start = stop


def _heads(measurement: str, batch: pa.RecordBatch) -> tuple[pa.Array, pa.Array]:
    """``measurement,tags field=`` of each series and field, and which of them each point has."""
    import numpy as np
    import pyarrow as pa

    names = [*sorted(name for name in batch.schema.names if name not in NOT_TAGS), "_field"]
    columns = [_coded(batch.column(name)) for name in names]
    codes: Any = np.zeros(batch.num_rows, np.int64)
    for texts, indices in columns:
        codes = codes * (len(texts) + 1) + indices
    unique, places = np.unique(codes, return_inverse=True)
    heads = []
    for code in unique.tolist():
        chosen: list[str | None] = []
        for texts, _ in reversed(columns):
            code, place = divmod(code, len(texts) + 1)  # noqa: PLW2901 - digits of a mixed radix
            chosen.append(texts[place] if place < len(texts) else None)
        field, *tags = chosen
        heads.append(_head(measurement, names[-2::-1], tags, field or ""))
    return pa.array(heads, pa.large_string()), pa.array(places)


def _head(measurement: str, names: Sequence[str], tags: Sequence[str | None], field: str) -> str:
    present = {name: tag for name, tag in zip(names, tags, strict=True) if tag}
    return f"{encode_series(measurement, present, [field])} {encode_field_key(field)}="


def _coded(column: Any) -> tuple[list[str], Any]:
    import pyarrow as pa

    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    texts = coded.dictionary.to_pylist()
    return texts, coded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)


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
