"""The series of a time in groups, by what they have in one column: no series is in two groups, and none in no group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from airflow_provider_influx_rollup.exceptions import QueryLimitReached
from airflow_provider_influx_rollup.flux.archive import TagValues
from airflow_provider_influx_rollup.flux.at_signs import is_misread
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.flux.source_schema import TagKeys
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

A = TypeVar("A")

FIELD = "_field"
# what the index lists beside the tags
NO_TAGS = frozenset({FIELD, "_measurement", "_start", "_stop"})
# each try costs failed queries, and a part that is smaller than needed costs little
PARTS = 4
# a filter of more values is a text that the server reads for longer than it reads the points
MAX_VALUES = 500


def values_in(source: RollupSource, interval: Interval, column: str) -> Steps[tuple[str, ...]]:
    """What series have in a column now; an empty text stands for those without the tag.

    :param column: a tag key, or ``_field``
    """
    found = yield from ask(TagValues(source, interval, column))
    return tuple(sorted(found if column == FIELD else {*found, ""}))


def groups_of(values: Sequence[str]) -> list[tuple[str, ...]]:
    """Values in a few groups, or in more that are small enough for a filter."""
    size = min(MAX_VALUES, -(-len(values) // PARTS))
    return [tuple(values[first : first + size]) for first in range(0, len(values), size)]


def source_groups(source: RollupSource, interval: Interval) -> Steps[list[RollupSource]]:
    """A source in several that have no series in common, by the values of one tag; one when no tag tells its series apart."""
    keys = yield from ask(TagKeys(source, interval))
    found: dict[str, tuple[str, ...]] = {}
    for key in filterable(key for key in keys if key not in NO_TAGS):
        values = yield from values_in(source, interval, key)
        if key in source.tags:
            # series without the tag are none of the source's
            values = tuple(value for value in values if value in source.tags[key])
        if len(values) > 1:
            found[key] = values
    if not found:
        return [source]
    # a filter of few values is the cheapest
    key = min(found, key=lambda key: len(found[key]))
    return [replace(source, tags={**source.tags, key: some}) for some in groups_of(found[key])]


def filterable(tags: Iterable[str]) -> list[str]:
    """The tag keys that a filter of the storage engine can name."""
    return [key for key in tags if not is_misread(key)]


def in_groups(
    source: RollupSource, interval: Interval, look: Callable[[RollupSource], Steps[A]]
) -> Steps[list[A]]:
    """Look at all series at once; where that reaches a limit of the server, at one group of them after the other.

    :param look: what is done for the series of a source; it may be done for all, and then for each group
    :return: what the looks found, of which no two are of the same series
    :raises QueryLimitReached: when series that no tag tells apart reach the limit too
    """
    try:
        return [(yield from look(source))]
    except QueryLimitReached as error:
        groups = yield from source_groups(source, interval)
        if len(groups) < 2:
            raise
        what = f"{source.bucket}/{source.measurement}: {len(groups)} groups of series are asked for: {error.what}"
        yield from ask(Report(what, level="warning"))
    found: list[A] = []
    for group in groups:
        found += yield from in_groups(group, interval, look)
    return found
