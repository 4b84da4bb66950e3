"""Which series are expected, and which were seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.names import validate_name

Series = tuple[tuple[str, str], ...]
"""The tags of a series, sorted by key, without empty ones."""

NOT_TAGS = frozenset({"result", "table", "_time", "_value", "_field"})


def series_of(tags: Mapping[str, Any]) -> Series:
    """The tags of a result row or of a user's mapping as a key; an empty value means that the tag is absent."""
    return tuple(sorted((key, str(tags[key])) for key in tags if key not in NOT_TAGS and tags[key]))


def series_label(series: Series) -> str:
    """Text for messages: ``device=d1, site=a``."""
    return ", ".join(f"{key}={value}" for key, value in series) or "the whole measurement"


def last_seen_by_series(rows: Iterable[Mapping[str, Any]]) -> dict[Series, datetime]:
    """The latest time per series, over its fields.

    :param rows: what ``last_seen_query`` returns
    """
    latest: dict[Series, datetime] = {}
    for row in rows:
        series, time = series_of(row), row["_time"]
        if series not in latest or latest[series] < time:
            latest[series] = time
    return latest


def expected_from(given: Iterable[Any]) -> tuple[Series, ...]:
    """The series that a user lists, each once, in order.

    :param given: tags of each series; an empty value means that the tag is absent
    :raises ConfigurationError: when one is not a mapping
    :raises InvalidName: when InfluxDB could not hold such a tag
    """
    listed: dict[Series, None] = {}
    for tags in given:
        if not isinstance(tags, Mapping):
            what = f"expected_series holds {tags!r}, which is not a mapping of tags"
            raise ConfigurationError(what, fix="list one mapping per series, such as {'device': 'd1'}")
        series = series_of(tags)
        for key, value in series:
            validate_name("tag", key)
            validate_name("tag value", value)
        listed[series] = None
    return tuple(listed)


def grouping_of(group_by: Sequence[str] | None, expected: Sequence[Series] | None) -> tuple[str, ...] | None:
    """The tag keys that tell series apart: as given, else those of the expected series, else None for all.

    :raises ConfigurationError: when an expected series has a tag that ``group_by`` lacks
    """
    if group_by is None:
        if expected is None:
            return None
        return tuple(sorted({key for series in expected for key, _ in series}))
    keys = tuple(dict.fromkeys(group_by))
    for series in expected or ():
        unknown = [key for key, _ in series if key not in keys]
        if unknown:
            what = (
                f"expected series {series_label(series)} has tags that group_by lacks: {', '.join(unknown)}"
            )
            raise ConfigurationError(what, fix="add them to group_by, or remove them from expected_series")
    return keys
