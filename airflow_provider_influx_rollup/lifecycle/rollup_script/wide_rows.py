"""The rows that a user's script wrote by ``wideTo()``: each column is a tag or a field."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.lifecycle.rollup_script.rows import PointKey, is_tag

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.archive.annotated_rows import Row

_NO_FIELDS = frozenset({"_start", "_stop", "_time", "_measurement"})


@dataclass(frozen=True, slots=True)
class WideRows:
    """What ``wideTo()`` has written, one point for each field of a row.

    :param points: with their values
    :param empty: fields that may have an empty text or none: an answer does not tell, and only a text is written
    :param not_finite: numbers that ``wideTo()`` leaves out without a word
    """

    points: tuple[tuple[PointKey, Any], ...] = ()
    empty: int = 0
    not_finite: int = 0

    @classmethod
    def of(cls, rows: Iterable[Row]) -> WideRows:
        """Rows of a query, which know their group keys: those are the tags."""
        points: list[tuple[PointKey, Any]] = []
        empty = not_finite = 0
        for key, value in (point for row in rows for point in _points(row)):
            if value == "":
                empty += 1
            elif isinstance(value, float) and not math.isfinite(value):
                not_finite += 1
            else:
                points.append((key, value))
        return cls(tuple(points), empty, not_finite)


def _points(row: Row) -> Iterator[tuple[PointKey, Any]]:
    if not row.get("_measurement") or row.get("_time") is None:
        return
    tags = tuple(
        sorted((name, row[name]) for name in row.group_key if name not in _NO_FIELDS and is_tag(row[name]))
    )
    for name, value in row.items():
        if name not in _NO_FIELDS and name not in row.group_key and value is not None:
            yield (row["_measurement"], name, row["_time"], tags), value
