"""Points to their fingerprint, batch after batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from airflow_provider_influx_rollup.archive.arrow_schema import VALUE
from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint, Total
from airflow_provider_influx_rollup.archive.value_kinds import FIELD_COLUMN, TIME_COLUMN, kind_of
from airflow_provider_influx_rollup.arrow_numbers import numbers_of
from airflow_provider_influx_rollup.hashing import MASK, mix, text_hash

Hashes: TypeAlias = NDArray[np.uint64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
SALT_OF_KIND = {
    kind: np.uint64(text_hash(kind, "kind")) for kind in ("float", "integer", "unsigned", "boolean", "string")
}


@dataclass(frozen=True, slots=True)
class RowHashes:
    """Hashes of some points, one of each kind for every point.

    :param rows: of series, field, time, type and value
    :param keys: of series, field and time: what a later point replaces
    :param series: of the tag set
    :param fields: of the field's name
    """

    rows: Hashes
    keys: Hashes
    series: Hashes
    fields: Hashes


class Tally:
    """Adds points up, batch after batch, in flat memory (it grows with the number of series and fields)."""

    def __init__(self) -> None:
        self._fields: dict[tuple[str, str], list[int]] = {}
        self._series: dict[int, list[int]] = {}
        self._texts: dict[str, dict[str, int]] = {}

    def add(self, table: pa.Table) -> None:
        """Take some points: columns ``_time``, ``_field``, ``_value``; all others are tags."""
        for batch in table.to_batches():
            if batch.num_rows:
                self.take(batch)

    def fingerprint(self) -> Fingerprint:
        """All points so far."""
        fields = {key: Total(rows, f"{total & MASK:016x}") for key, (rows, total) in self._fields.items()}
        series = {key: Total(rows, f"{total & MASK:016x}") for key, (rows, total) in self._series.items()}
        return Fingerprint(fields=fields, series=series, series_count=len(series))

    def take(self, batch: pa.RecordBatch) -> RowHashes:
        """Take the points of one batch, at least one, and return their hashes too."""
        found = self.hashes_of(batch)
        series, fields = found.series, found.fields
        kind = kind_of(batch.schema.field(VALUE).type)
        names = _dictionary(batch, FIELD_COLUMN)
        codes = numbers_of(names.indices)
        # rows of one series and field follow each other, so there are few runs
        starts = np.concatenate(
            [[0], np.flatnonzero((series[1:] != series[:-1]) | (fields[1:] != fields[:-1])) + 1]
        )
        counts = np.diff(np.append(starts, len(series)))
        with np.errstate(over="ignore"):
            sums = np.add.reduceat(found.rows, starts)
        texts = names.dictionary.to_pylist()
        _gather(self._fields, [(text, kind) for text in texts], codes[starts], counts, sums)
        keys, places = np.unique(series[starts], return_inverse=True)
        _gather(self._series, keys.tolist(), places, counts, sums)
        return found

    def hashes_of(self, batch: pa.RecordBatch) -> RowHashes:
        """The hashes of each point; nothing is added up."""
        series: Hashes = np.zeros(batch.num_rows, np.uint64)
        with np.errstate(over="ignore"):
            for name in batch.schema.names:
                if name not in (TIME_COLUMN, FIELD_COLUMN, VALUE):
                    series += self._text_hashes(batch, name, f"tag\0{name}")
            fields = self._text_hashes(batch, FIELD_COLUMN, "field")
            mixed = mix(series + mix(fields))
            times = numbers_of(batch.column(TIME_COLUMN).cast(pa.int64()))
            keys = mix(mixed ^ (times.view(np.uint64) * GOLDEN))
            return RowHashes(mix(keys ^ mix(self._value_bits(batch.column(VALUE)))), keys, series, fields)

    def _text_hashes(self, batch: pa.RecordBatch, name: str, salt: str) -> Hashes:
        """Hash of each row's text; 0 for an absent tag."""
        column = _dictionary(batch, name)
        known = self._texts.setdefault(salt, {})
        hashes = np.fromiter(
            (_known_hash(known, text, salt) for text in column.dictionary.to_pylist()),
            np.uint64,
            len(column.dictionary),
        )
        hashes = np.append(hashes, np.uint64(0))
        places = numbers_of(column.indices)
        if column.indices.null_count:
            is_absent = numbers_of(pc.cast(column.indices.is_null(), pa.uint8())) != 0
            places = np.where(is_absent, len(hashes) - 1, places)
        found: Hashes = hashes[places]
        return found

    @staticmethod
    def _value_bits(values: pa.Array) -> Hashes:
        """64 bits of each value, apart by type; floats by their bits."""
        kind = kind_of(values.type)
        salt = SALT_OF_KIND[kind]
        if kind == "string":
            coded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
            texts = coded.dictionary.to_pylist()
            hashes = np.fromiter((text_hash(text, "value") for text in texts), np.uint64, len(texts))
            bits: Hashes = hashes[numbers_of(coded.indices)]
        elif kind == "boolean":
            bits = numbers_of(pc.cast(values, pa.uint8())).astype(np.uint64)
        else:
            bits = numbers_of(values).view(np.uint64)
        return mix(bits) + salt


def _dictionary(batch: pa.RecordBatch, name: str) -> pa.DictionaryArray:
    column = batch.column(name)
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()


def _known_hash(known: dict[str, int], text: str | None, salt: str) -> int:
    if not text:
        return 0  # an empty tag is an absent one
    found = known.get(text)
    if found is None:
        found = known[text] = text_hash(text, salt)
    return found


def _gather(
    into: dict[Any, list[int]], keys: list[Any], places: NDArray[Any], counts: NDArray[Any], sums: Hashes
) -> None:
    """Add runs to the totals of their keys.

    :param places: index into the keys, for each run
    """
    rows = np.bincount(places, counts, len(keys)).astype(np.int64)
    totals = np.zeros(len(keys), np.uint64)
    with np.errstate(over="ignore"):
        np.add.at(totals, places, sums)
    for key, count, total in zip(keys, rows.tolist(), totals.tolist(), strict=True):
        if count:
            known = into.setdefault(key, [0, 0])
            known[0] += count
            known[1] = (known[1] + total) & MASK
