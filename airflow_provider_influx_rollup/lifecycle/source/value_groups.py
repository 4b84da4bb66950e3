"""The series of a time in groups, by what they have in one column: no series is in two groups, and none in no group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_provider_influx_rollup.flux.archive import TagValues
from airflow_provider_influx_rollup.flux.at_signs import is_misread
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

FIELD = "_field"
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


def filterable(tags: Iterable[str]) -> list[str]:
    """The tag keys that a filter of the storage engine can name."""
    return [key for key in tags if not is_misread(key)]
