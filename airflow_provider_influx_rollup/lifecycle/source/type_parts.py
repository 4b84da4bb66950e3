"""The columns of each part of an interval: a field may have another type in another shard group.

A read over two types loses the points of one without a word, so windows of different types are never read together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.aggregates.selection import Column, Selection
from airflow_provider_influx_rollup.exceptions import AggregateTypeMismatch
from airflow_provider_influx_rollup.lifecycle.source.field_types import field_types
from airflow_provider_influx_rollup.windows.interval import Interval

Types = Mapping[str, str]


class Rules(Protocol):
    """The rules that choose columns, of raw points or of a tier."""

    def names_for(self, field: str, /) -> tuple[str, ...]:
        """The aggregates of a field; empty when it is not wanted."""

    def select(self, types: Types, /) -> Selection:
        """The columns for the fields there are."""


@dataclass(frozen=True, slots=True)
class TypeParts:
    """The types of the wanted fields.

    :param parts: neighbours, in order, each with the types of the fields that have points in it
    """

    rules: Rules
    parts: tuple[tuple[Interval, Types], ...]

    @classmethod
    def of(cls, rules: Rules, answers: Sequence[tuple[Sequence[Interval], Sequence[Frame]]]) -> TypeParts:
        """Read the answers of ``FieldTypes``.

        :param answers: the parts of each query, and what it returned
        :raises AggregateTypeMismatch: when a field has two types in one part
        """
        parts: list[tuple[Interval, Types]] = []
        for some, frames in answers:
            for index, part in enumerate(some):
                own = [frame for frame in frames if len(some) == 1 or frame.result == str(index)]
                parts.append((part, field_types(own, rules.names_for)))
        return cls(rules, tuple(parts))

    def columns(self) -> list[Column]:
        """The columns of all parts that have some."""
        found: dict[Column, None] = {}
        for _, types in self.parts:
            with suppress(AggregateTypeMismatch):
                found |= dict.fromkeys(self.rules.select(types).columns)
        return list(found)

    def selection_of(self, windows: Sequence[Interval]) -> Selection:
        """The columns of some windows.

        :param windows: neighbours, in order
        :raises AggregateTypeMismatch: when a field changes its type between them, or cannot have its aggregate
        """
        return self.rules.select(merged_types(self._overlapping(windows)))

    def runs_of_one_type(
        self, runs: Iterable[Sequence[Interval]]
    ) -> tuple[list[tuple[Interval, ...]], dict[Interval, AggregateTypeMismatch]]:
        """Cut runs of neighbours where a field changes its type.

        :return: runs that have a selection, and the windows that have none because two types meet in them
        :raises AggregateTypeMismatch: when no part can have its aggregates
        """
        if not self.columns():
            self._require_one_possible()
        good: list[tuple[Interval, ...]] = []
        refused: dict[Interval, AggregateTypeMismatch] = {}
        for run in runs:
            of_one_type, mixed = self._cut(tuple(run))
            good += of_one_type
            refused |= mixed
        return good, refused

    def _require_one_possible(self) -> None:
        for _, types in self.parts:
            if types:
                self.rules.select(types)

    def _cut(
        self, run: tuple[Interval, ...]
    ) -> tuple[list[tuple[Interval, ...]], dict[Interval, AggregateTypeMismatch]]:
        try:
            self.selection_of(run)
        except AggregateTypeMismatch as error:
            if len(run) == 1:
                error.window = run[0]
                return [], {run[0]: error}
            middle = len(run) // 2
            (good, refused), (good_later, refused_later) = self._cut(run[:middle]), self._cut(run[middle:])
            return good + good_later, refused | refused_later
        return [run], {}

    def _overlapping(self, windows: Sequence[Interval]) -> list[Types]:
        span = Interval.spanning(windows)
        return [types for part, types in self.parts if part.overlaps(span)]


def merged_types(parts: Iterable[Types]) -> dict[str, str]:
    """The type of each field in several parts.

    :raises AggregateTypeMismatch: when one field has two
    """
    merged: dict[str, str] = {}
    for types in parts:
        for name, field_type in types.items():
            if merged.setdefault(name, field_type) != field_type:
                what = f"field {name!r} is a {merged[name]} field in one part of the interval and {field_type} in another"
                fix = "roll up each part on its own, or select other fields"
                raise AggregateTypeMismatch(what, written="nothing", fix=fix)
    return merged
