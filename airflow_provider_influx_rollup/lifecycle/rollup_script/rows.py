"""The rows that a user's script wrote, as the server returned them."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.rollup_script.wide_rows import WideRows

NOT_TAGS = frozenset({"_start", "_stop", "_time", "_value", "_field", "_measurement"})
PointKey = tuple[str, str, datetime, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class ScriptRows:
    """Written values by measurement, field, time and tags.

    :param points: value of each point
    :param ambiguous: points that have several values, as a tag set has that is stored under several series keys
    """

    points: Mapping[PointKey, Any]
    ambiguous: frozenset[PointKey] = frozenset()

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], wide: WideRows | None = None) -> ScriptRows:
        """Rows of a query; rows without a measurement, field, time or value were not written by ``to()``.

        :param wide: what ``wideTo()`` has written beside them
        """
        points: dict[PointKey, Any] = {}
        ambiguous: set[PointKey] = set()
        said = ((_key(row), row["_value"]) for row in rows if _is_written(row))
        for key, value in (*said, *(wide.points if wide else ())):
            if points.setdefault(key, value) != value:
                ambiguous.add(key)
            points[key] = value
        return cls(points, frozenset(ambiguous))

    @property
    def measurements(self) -> list[str]:
        """The measurements that were written."""
        return sorted({key[0] for key in self.points})

    @property
    def series_count(self) -> int:
        """Number of tag sets written."""
        return len({(key[0], key[3]) for key in self.points})

    @property
    def checksum(self) -> str:
        """Order-insensitive: the sum of one hash per point modulo 2**64, as 16 hex digits."""
        return f"{sum(_hash(key, value) for key, value in self.points.items()) % 2**64:016x}"

    @property
    def not_finite(self) -> list[PointKey]:
        """The points whose values are infinite or no numbers, in order."""
        return sorted(
            key for key, value in self.points.items() if isinstance(value, float) and not math.isfinite(value)
        )

    def keys_of(self, measurement: str) -> set[PointKey]:
        """The points of one measurement."""
        return {key for key in self.points if key[0] == measurement}

    def lacking_in(self, stored: ScriptRows, measurement: str) -> int:
        """Points of a measurement that another set of rows does not have.

        A stored point may have fewer tags: ``to(tagColumns:)`` chooses among the string columns.
        """
        tags_there: dict[tuple[str, datetime], list[frozenset[tuple[str, str]]]] = defaultdict(list)
        for _, field, instant, tags in stored.keys_of(measurement):
            tags_there[field, instant].append(frozenset(tags))
        return sum(
            not any(there <= frozenset(tags) for there in tags_there[field, instant])
            for _, field, instant, tags in self.keys_of(measurement)
        )

    def span_of(self, measurement: str) -> Interval:
        """From the first point of a measurement to just after the last one."""
        times = [key[2] for key in self.keys_of(measurement)]
        return Interval(min(times), max(times) + MICROSECOND)


def _is_written(row: Mapping[str, Any]) -> bool:
    return all(row.get(name) is not None for name in ("_measurement", "_field", "_time", "_value"))


def _key(row: Mapping[str, Any]) -> PointKey:
    tags = sorted((name, value) for name, value in row.items() if name not in NOT_TAGS and is_tag(value))
    return row["_measurement"], row["_field"], row["_time"], tuple(tags)


def is_tag(value: object) -> bool:
    """Writes take string columns for tags, and an empty tag is no tag."""
    return isinstance(value, str) and value != ""


def _hash(key: PointKey, value: object) -> int:
    measurement, field, instant, tags = key
    text = json.dumps([measurement, field, instant.isoformat(), tags, type(value).__name__, repr(value)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
