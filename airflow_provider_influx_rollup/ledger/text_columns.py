"""A text of each of very many records, as columns of NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from airflow_provider_influx_rollup.arrow_numbers import numbers_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class TextColumn:
    """A field of the receipts of one pipeline.

    :param starts: of the windows, nanoseconds; in order
    :param values: texts, one for each
    """

    starts: NDArray[Any]
    values: NDArray[Any]


def text_columns(tables: Iterable[pa.Table]) -> Mapping[str, TextColumn]:
    """The column of each pipeline that has one, in order of the windows.

    :param tables: with ``_time``, ``_value`` and ``pipeline``
    """
    parts: dict[str, list[tuple[NDArray[Any], NDArray[Any]]]] = {}
    for table in tables:
        for batch in table.to_batches():
            for pipeline, starts, values in _by_pipeline(batch):
                parts.setdefault(pipeline, []).append((starts, values))
    found = {}
    for pipeline, some in parts.items():
        starts = np.concatenate([one for one, _ in some])
        values = np.concatenate([one for _, one in some])
        order = np.argsort(starts, kind="stable")
        found[pipeline] = TextColumn(starts[order], values[order])
    return found


def _by_pipeline(batch: pa.RecordBatch) -> list[tuple[str, NDArray[Any], NDArray[Any]]]:
    starts = numbers_of(batch.column("_time").cast(pa.int64()))
    texts, codes = _with_codes(batch.column("_value"))
    names, owners = _with_codes(batch.column("pipeline"))
    values = np.array(texts, dtype=object)[codes]
    found = []
    for number, pipeline in enumerate(names):
        mine = owners == number
        if mine.any():
            found.append((pipeline, starts[mine], values[mine]))
    return found


def _with_codes(column: Any) -> tuple[list[str], NDArray[Any]]:
    """The distinct texts of a column, and which of them each row has."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    return encoded.dictionary.to_pylist(), numbers_of(encoded.indices)
