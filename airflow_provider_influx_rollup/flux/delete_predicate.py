"""The predicate of a delete request: one measurement, and tags that must all be equal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.names import validate_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_RESERVED = frozenset({"_field", "_value", "_time", "_measurement"})


def delete_predicate(measurement: str, tags: Mapping[str, str] | None = None) -> str:
    r"""``_measurement="m" AND "tag"="v"``, quoted so that any name and any value is taken literally.

    Series that have MORE tags than the ones given match too.

    :param measurement: always needed: a delete without one may touch every measurement of the bucket
    :param tags: tag key -> value, all of which must be equal
    :raises InvalidName: when InfluxDB could not hold such a name
    :raises ConfigurationError: for a field or a column (InfluxDB cannot delete by field), and for an empty tag
        value: the server answers "done" and deletes nothing
    """
    terms = [f"_measurement={_quote(validate_name('measurement', measurement))}"]
    for key, value in sorted((tags or {}).items()):
        if key in _RESERVED:
            what = f"InfluxDB cannot delete by {key}"
            raise ConfigurationError(what, fix="give the measurement, the time range and tags only")
        if not value:
            what = f"InfluxDB cannot delete only the series without the tag {key!r}"
            raise ConfigurationError(what, fix="leave the tag out, which deletes the series that have it too")
        terms.append(f"{_quote(validate_name('tag', key))}={_quote(validate_name('tag value', value))}")
    return " AND ".join(terms)


def _quote(text: str) -> str:
    """Double quotes, with a backslash before quotes and backslashes; single quotes are refused by the server."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
