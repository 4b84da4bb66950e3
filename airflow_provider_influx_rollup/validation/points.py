"""Points as the rules see them: one table for each field and type, by series and time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from airflow_provider_influx_rollup.validation.rule import Rule, TagSet
from airflow_provider_influx_rollup.windows.interval import Interval

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Points:
    """Points of one field and type, by series and time.

    :param kind: ``float``, ``integer``, ``unsigned``, ``boolean`` or ``string``
    :param series: number of each point's series in the registry
    :param time_ns: nanoseconds since the epoch
    :param values: numbers, booleans, or texts as objects
    """

    field: str
    kind: str
    series: NDArray[np.int64]
    time_ns: NDArray[np.int64]
    values: NDArray[Any]

    def __len__(self) -> int:
        return len(self.time_ns)

    def checksum(self, tag_sets: Sequence[TagSet]) -> str:
        """16 hex digits that stand for these points.

        :param tag_sets: of the series, by their numbers
        """
        numbers, places = np.unique(self.series, return_inverse=True)
        named = [self.field, self.kind, *(tag_sets[number] for number in numbers.tolist())]
        digest = hashlib.blake2b(repr(named).encode(), digest_size=8)
        for column in (places, self.time_ns):
            digest.update(column.astype(np.int64).tobytes())
        values = self.values
        digest.update(repr(values.tolist()).encode() if values.dtype == object else values.tobytes())
        return digest.hexdigest()

    @cached_property
    def is_first(self) -> Mask:
        """The first point of each series."""
        first = np.ones(len(self), bool)
        first[1:] = self.series[1:] != self.series[:-1]
        return first

    def where(self, keep: NDArray[Any]) -> Points:
        """Only some of the points, in the same order."""
        return Points(
            field=self.field,
            kind=self.kind,
            series=self.series[keep],
            time_ns=self.time_ns[keep],
            values=self.values[keep],
        )

    @classmethod
    def sorted(
        cls,
        name: str,
        kind: str,
        series: NDArray[np.int64],
        time_ns: NDArray[np.int64],
        values: NDArray[Any],
    ) -> Points:
        """Points in any order; answers are mostly sorted already, and sorting would take longer than looking."""
        points = cls(field=name, kind=kind, series=series, time_ns=time_ns, values=values)
        if points.is_ascending:
            return points
        points = points.where(np.lexsort((time_ns, series)))
        if points.is_ascending:
            return points
        # a tag set under two series keys may have two points of one time: the smaller value goes first
        ranks = np.unique(points.values, return_inverse=True)[1].reshape(-1)
        return points.where(np.lexsort((ranks, points.time_ns, points.series)))

    @property
    def is_ascending(self) -> bool:
        """Whether points lie by series and time, no two alike."""
        step = np.diff(self.series)
        return bool(np.all((step > 0) | ((step == 0) & (np.diff(self.time_ns) > 0))))

    def first_of_each_time(self) -> Points:
        """One point of each series and time, of points that lie by both: the first."""
        is_new = np.ones(len(self), bool)
        is_new[1:] = (np.diff(self.series) != 0) | (np.diff(self.time_ns) != 0)
        return self if is_new.all() else self.where(is_new)

    def last_of_each_series(self, count: int) -> Points:
        """So many points of each series, of points that lie by series and time."""
        stops = np.flatnonzero(np.append(self.series[1:] != self.series[:-1], True)[: len(self)])
        lengths = np.diff(np.append(-1, stops))
        if lengths.max(initial=0) <= count:
            return self
        return self.where(np.repeat(stops, lengths) - np.arange(len(self)) < count)


@dataclass
class Registry:
    """The series of a validation, numbered as they are met."""

    tag_sets: list[TagSet] = field(default_factory=list)
    numbers: dict[TagSet, int] = field(default_factory=dict)
    _covered: dict[str, Mask] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tag_sets)

    def number(self, tags: TagSet) -> int:
        """The number of a series."""
        found = self.numbers.get(tags)
        if found is None:
            found = self.numbers[tags] = len(self.tag_sets)
            self.tag_sets.append(tags)
        return found

    def numbers_of(self, tag_sets: Sequence[TagSet]) -> NDArray[np.int64]:
        """The numbers of several series."""
        return np.array([self.number(tags) for tags in tag_sets], np.int64)

    def covered(self, rule: Rule) -> Mask:
        """The series that a rule is about."""
        known = self._covered.get(rule.name, np.zeros(0, bool))
        if len(known) < len(self):
            more = [rule.covers(tags) for tags in self.tag_sets[len(known) :]]
            known = self._covered[rule.name] = np.concatenate([known, np.array(more, bool)])
        return known


@dataclass(frozen=True)
class Part:
    """Neighbouring points in time, as many as one read brings.

    :param interval: all points of the wanted fields in it are here
    :param tables: one for each field; a field has one type in a part
    """

    interval: Interval
    tables: tuple[Points, ...]
    registry: Registry

    @property
    def size(self) -> int:
        """Number of points."""
        return sum(len(table) for table in self.tables)

    def rows_of(self, rule: Rule, table: Points) -> NDArray[np.int64] | None:
        """The rows of a table that a rule is about; None when it is about all."""
        if not rule.where:
            return None
        return np.flatnonzero(self.registry.covered(rule)[table.series])

    def about(self, rule: Rule, table: Points) -> Points:
        """The points of a table that a rule is about."""
        rows = self.rows_of(rule, table)
        return table if rows is None else table.where(rows)

    def spread(self, rule: Rule, table: Points, found: Mask) -> Mask:
        """A mask of a whole table, from that of the points that a rule is about; the others are right."""
        rows = self.rows_of(rule, table)
        if rows is None:
            return found
        mask = np.zeros(len(table), bool)
        mask[rows] = found
        return mask

    def checked(self, rule: Rule, tables: Mapping[int, Mask]) -> int:
        """Number of points that a rule examined.

        :param tables: the tables that it judged
        """
        total = 0
        for index in tables:
            rows = self.rows_of(rule, self.tables[index])
            total += len(self.tables[index]) if rows is None else len(rows)
        return total
