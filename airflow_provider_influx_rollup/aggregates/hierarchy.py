"""Tiers over tiers: which parts of the tier below an aggregate is merged from, and how.

One line of ``MERGES`` for each aggregate that a tier can have; sketches, and what is read from them, are merged from
the sketches. What has no merge is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from airflow_provider_influx_rollup.aggregates.catalog import find_aggregate
from airflow_provider_influx_rollup.aggregates.selection import AggregateRules, Column, Selection
from airflow_provider_influx_rollup.exceptions import AggregateNotMergeable
from airflow_provider_influx_rollup.globs import is_glob


class Way(Enum):
    """The place where an aggregate of a tier is merged."""

    PART = "one part, merged by the storage engine"
    MERGED = "a formula over parts that the storage engine merged"
    CHILDREN = "a formula over the rows of the tier below, in the order of their windows"


@dataclass(frozen=True, slots=True)
class Merge:
    """The merge of one aggregate.

    :param needs: the parts, each as the aggregates that can serve for it, the best first; the first part is there
        wherever the aggregate is
    :param may_lack: parts that a row of the tier below may lack although they are stored
    """

    way: Way
    needs: tuple[tuple[str, ...], ...]
    may_lack: frozenset[str] = frozenset()

    def choose(self, stored: tuple[str, ...]) -> tuple[str, ...] | None:
        """The parts to take; None when one is not stored."""
        chosen = [next((name for name in names if name in stored), None) for names in self.needs]
        return tuple(name for name in chosen if name) if all(chosen) else None


# what the parts of several windows make together, as an aggregate that the storage engine pushes down
PART_FUNCTIONS: dict[str, str] = {
    "count": "sum",
    "sum": "sum",
    "min": "min",
    "max": "max",
    "first": "first",
    "last": "last",
}
MERGES: dict[str, Merge] = {
    **{name: Merge(Way.PART, ((name,),)) for name in PART_FUNCTIONS},
    "mean": Merge(Way.MERGED, (("count",), ("sum",))),
    "spread": Merge(Way.MERGED, (("min",), ("max",))),
    # a window of one point has no standard deviation
    "stddev": Merge(Way.CHILDREN, (("count",), ("sum", "mean"), ("stddev",)), frozenset({"stddev"})),
    "increase": Merge(Way.CHILDREN, (("increase",), ("first",), ("last",))),
    "resets": Merge(Way.CHILDREN, (("resets",), ("first",), ("last",))),
}
REASONS: dict[str, str] = {
    "median": "the middle of a whole does not follow from the middles of its parts",
    "distinct": "parts may have values in common",
    "integral": "the area between the last point of one window and the first of the next is in neither",
}
QUANTILE_REASON = "a quantile of a whole does not follow from quantiles of its parts"
FIX = "compute it from the raw points, or store what merges in every tier, such as p99_approx or distinct_approx"


def find_merge(name: str) -> Merge:
    """Return the merge of an aggregate.

    :raises AggregateNotMergeable: when it cannot be, with the reason
    """
    sketch = find_aggregate(name).sketch
    if sketch is not None:
        return Merge(Way.CHILDREN, ((sketch,),))
    merge = MERGES.get(name)
    if merge is None:
        reason = REASONS.get(name, QUANTILE_REASON if find_aggregate(name).quantile is not None else "")
        what = f"{name} cannot be computed from another tier" + (f": {reason}" if reason else "")
        raise AggregateNotMergeable(what, written="nothing", fix=FIX)
    return merge


def require_mergeable_names(rules: AggregateRules) -> None:
    """Refuse aggregates that no tier can be merged to.

    :raises AggregateNotMergeable: with the reason
    """
    for name in rules.all_names():
        find_merge(name)


def require_parts(rules: AggregateRules, below: AggregateRules, tier_below: str) -> None:
    """Refuse what the tier below cannot have the parts of, as far as the rules alone tell.

    :param below: what the tier below stores
    :param tier_below: its pipeline's name
    :raises AggregateNotMergeable: naming the field and the missing part
    """
    # a glob stands for the fields that match it
    for field in dict.fromkeys([*(glob for glob, _ in rules.rules), *(glob for glob, _ in below.rules)]):
        stored = below.names_for(field)
        names = rules.names_for(field)
        if names and (stored or not is_glob(field)):
            for name in names:
                _parts(field, name, stored, tier_below)


@dataclass(frozen=True, slots=True)
class TierRules:
    """The columns of a tier, given the fields of the tier below; used as ``AggregateRules`` are for raw points.

    :param rules: what the tier asks for
    :param below: what the tier below stores
    :param tier_below: its pipeline's name
    """

    rules: AggregateRules
    below: AggregateRules
    tier_below: str

    def names_for(self, part_field: str) -> tuple[str, ...]:
        """Names of the aggregates that a field of the tier below may be a part of."""
        field = original_field(part_field, self.below)
        return () if field is None else self.rules.names_for(field)

    def select(self, types: Mapping[str, str]) -> Selection:
        """Choose the columns for the parts there are.

        :param types: type of each field of the tier below
        :raises AggregateNotMergeable: naming the field and the part that the tier below does not store
        """
        columns: list[Column] = []
        skipped: list[str] = []
        for field in sorted({field for name in types if (field := original_field(name, self.below))}):
            for name in self.rules.names_for(field):
                parts = _parts(field, name, self.below.names_for(field), self.tier_below)
                there = tuple(f"{field}_{part}" for part in parts if f"{field}_{part}" in types)
                optional = find_merge(name).may_lack
                lacking = [p for p in parts if f"{field}_{p}" not in there and p not in optional]
                if lacking:
                    skipped.append(f"{name} of {field}, which has no {', '.join(lacking)}")
                    continue
                columns.append(
                    Column(
                        field=field,
                        field_type=types[there[0]],
                        aggregate=find_aggregate(name),
                        parts=there,
                        tier_below=self.tier_below,
                    )
                )
        return Selection(tuple(columns), tuple(skipped))


def original_field(target_field: str, below: AggregateRules) -> str | None:
    """The field that a field of the tier below was made of; None when it is not the tier's."""
    for name in below.all_names():
        if target_field.endswith(f"_{name}"):
            field = target_field[: -len(name) - 1]
            if name in below.names_for(field):
                return field
    return None


def part_of(column: Column, source: str) -> str:
    """The aggregate from which a column is merged."""
    return source[len(column.field) + 1 :]


def _parts(field: str, name: str, stored: tuple[str, ...], tier_below: str) -> tuple[str, ...]:
    merge = find_merge(name)
    parts = merge.choose(stored)
    if parts is None:
        lacking = [" or ".join(needs) for needs in merge.needs if not set(needs) & set(stored)]
        what = (
            f"{name} of field {field!r} needs {', '.join(lacking)} of pipeline {tier_below!r}, "
            f"which stores {', '.join(stored) or 'nothing'} of it"
        )
        fix = "add the missing aggregates to that tier and run its windows again"
        raise AggregateNotMergeable(what, written="nothing", fix=fix)
    return parts
