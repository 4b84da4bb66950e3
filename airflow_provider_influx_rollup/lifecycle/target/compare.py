"""Full-outer join of what the source gives and what the target holds; the work per row is all in arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_influx_rollup.aggregates.frame import Codes, TagSet
from airflow_provider_influx_rollup.lifecycle.target.rows import TargetColumn, TargetRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNIT = 2.0**-52


class Closeness(Enum):
    """Required closeness of two values of a column."""

    BITS = "the same bits: both come from the same function"
    VALUE = "equal numbers: 0.0 and -0.0 are"
    ROUNDED = "equal but for the rounding of a sum in another order"


@dataclass(frozen=True, slots=True)
class ColumnValues:
    """One column.

    :param keys: ``series * window_count + window``, ascending
    """

    keys: Codes
    values: NDArray[Any]

    def at(self, keys: Codes) -> tuple[NDArray[np.bool_], Codes]:
        """Mask of the keys that the column has, and their positions."""
        if not len(self.keys):
            return np.zeros(len(keys), bool), np.zeros(len(keys), np.int64)
        position = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return self.keys[position] == keys, position


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Differences of two sets of rows; a key is ``series * window_count + window``.

    :param tag_sets: the series that keys are made of
    :param expected: keys of all rows that the source gives, ascending
    :param stored: keys of all rows that the target holds, ascending
    :param dirty: keys of the rows that differ, ascending
    :param stale: the keys of the values that nothing explains, by column; a tag set that is stored under several series
        keys is among them, as its point has to go before it can be right
    :param wrong: the keys of the values that are to be written, by column
    """

    tag_sets: list[TagSet]
    window_count: int
    expected: Codes
    stored: Codes
    dirty: Codes
    stale: Mapping[str, Codes] = field(default_factory=dict)
    wrong: Mapping[str, Codes] = field(default_factory=dict)

    @property
    def windows(self) -> Codes:
        """The dirty windows, ascending."""
        return np.unique(self.dirty % self.window_count)

    def in_windows(self, windows: Codes) -> Difference:
        """Only what concerns some windows."""
        count = self.window_count
        dirty = self.dirty[np.isin(self.dirty % count, windows)]
        stale, wrong = (
            {name: kept for name, keys in some.items() if len(kept := keys[np.isin(keys % count, windows)])}
            for some in (self.stale, self.wrong)
        )
        return replace(self, dirty=dirty, stale=stale, wrong=wrong)

    def pairs(self, keys: Codes | None = None) -> list[tuple[TagSet, int]]:
        """Keys as tag set and window; without any given, those of the dirty rows."""
        series, window = np.divmod(self.dirty if keys is None else keys, self.window_count)
        return [(self.tag_sets[s], w) for s, w in zip(series.tolist(), window.tolist(), strict=True)]


def compare_rows(
    expected: TargetRows, stored: TargetRows, window_count: int, closeness: Mapping[str, Closeness]
) -> Difference:
    """Join two sets of rows and name what differs.

    :param closeness: the columns that are compared
    """
    tag_sets, (mine, theirs) = align((expected, stored), window_count)
    dirty: list[Codes] = []
    stale: dict[str, Codes] = {}
    wrong: dict[str, Codes] = {}
    for name, how in sorted(closeness.items()):
        differing, surplus = _join(mine.get(name), theirs.get(name), how, _bounds(name, how, mine))
        dirty += [differing, surplus]
        if len(surplus):
            stale[name] = surplus
        if len(differing):
            wrong[name] = differing
    return Difference(
        tag_sets=tag_sets,
        window_count=window_count,
        expected=_all_keys(mine),
        stored=_all_keys(theirs),
        dirty=_distinct(dirty),
        stale=stale,
        wrong=wrong,
    )


def align(
    sides: Sequence[TargetRows], window_count: int
) -> tuple[list[TagSet], list[dict[str, ColumnValues]]]:
    """Number the series of several sets of rows alike, and key and sort their columns."""
    numbers: dict[TagSet, int] = {}
    aligned = []
    for rows in sides:
        renumber = np.array([numbers.setdefault(tags, len(numbers)) for tags in rows.tag_sets], np.int64)
        aligned.append(
            {name: _values(column, renumber, window_count) for name, column in rows.columns.items()}
        )
    return list(numbers), aligned


def _values(column: TargetColumn, renumber: Codes, window_count: int) -> ColumnValues:
    keys = renumber[column.series] * window_count + column.window
    if np.all(keys[1:] > keys[:-1]):
        return ColumnValues(keys, column.values)
    order = np.argsort(keys, kind="stable")
    return ColumnValues(keys[order], column.values[order])


def _all_keys(side: Mapping[str, ColumnValues]) -> Codes:
    return _distinct([values.keys for values in side.values()])


def _distinct(parts: Sequence[Codes]) -> Codes:
    """The distinct keys of sorted parts, which are often all alike."""
    if not parts:
        return np.zeros(0, np.int64)
    first = parts[0]
    others = [part for part in parts[1:] if not np.array_equal(part, first)]
    return np.unique(np.concatenate([first, *others]))


def _join(
    mine: ColumnValues | None, theirs: ColumnValues | None, how: Closeness, bounds: ColumnValues | None
) -> tuple[Codes, Codes]:
    """Keys whose value is to be written, and keys whose value is to go."""
    nothing = np.zeros(0, np.int64)
    if theirs is None:
        return (nothing if mine is None else mine.keys), nothing
    if mine is None:
        return nothing, np.unique(theirs.keys)
    if np.array_equal(mine.keys, theirs.keys):
        return mine.keys[_unequal(mine.keys, mine.values, theirs.values, how, bounds)], nothing
    is_stored, position = theirs.at(mine.keys)
    common = mine.keys[is_stored]
    unequal = _unequal(common, mine.values[is_stored], theirs.values[position[is_stored]], how, bounds)
    is_explained, _ = mine.at(theirs.keys)
    # two series keys of one tag set: the point has to go before it can be right
    doubled = theirs.keys[1:][theirs.keys[1:] == theirs.keys[:-1]]
    surplus = np.unique(np.concatenate([theirs.keys[~is_explained], doubled]))
    return np.concatenate([mine.keys[~is_stored], common[unequal]]), surplus


def _unequal(
    keys: Codes, mine: NDArray[Any], theirs: NDArray[Any], how: Closeness, bounds: ColumnValues | None
) -> NDArray[np.bool_]:
    if mine.dtype.kind != theirs.dtype.kind:
        return np.ones(len(keys), bool)
    if mine.dtype.kind != "f" or how is Closeness.VALUE:
        return np.asarray(mine != theirs, bool)
    if how is Closeness.ROUNDED and bounds is not None:
        found, position = bounds.at(keys)
        bound = np.where(found, bounds.values[position], 0.0) if len(bounds.keys) else 0.0
        return np.asarray(~(np.abs(mine - theirs) <= bound), bool)
    return np.asarray(_bits(mine) != _bits(theirs), bool)


def _bits(values: NDArray[Any]) -> NDArray[np.int64]:
    return np.ascontiguousarray(values, np.float64).view(np.int64)


def _bounds(name: str, how: Closeness, side: Mapping[str, ColumnValues]) -> ColumnValues | None:
    """Largest difference of two sums of the same points: n additions of numbers up to M round by n * n * M units.

    :param name: ``<field>_sum``; the count, the smallest and the largest value of the same rows give n and M
    """
    if how is not Closeness.ROUNDED:
        return None
    field_name = name.removesuffix("_sum")
    count, low, high = (side.get(f"{field_name}_{part}") for part in ("count", "min", "max"))
    if count is None or low is None or high is None:
        return None
    (has_low, at_low), (has_high, at_high) = low.at(count.keys), high.at(count.keys)
    kept = has_low & has_high
    n = count.values[kept].astype(np.float64)
    largest = np.maximum(np.abs(low.values[at_low[kept]]), np.abs(high.values[at_high[kept]]))
    return ColumnValues(count.keys[kept], n * n * largest * UNIT)
