"""The predicate of a delete request: one measurement, and tags that must all be equal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.names import validate_name
from airflow_provider_influx_rollup.windows.rfc3339 import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_influx_rollup.windows.interval import Interval

_QUOTED = re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)
_RESERVED = frozenset({"_field", "_value", "_time", "_measurement"})


def delete_predicate(measurement: str, tags: Mapping[str, str] | None = None) -> str:
    r"""``_measurement="m" AND "tag"="v"``, quoted so that any name and any value is taken literally.

    Series that have MORE tags than the ones given match too.

    :param measurement: always needed: a delete without one may touch every measurement of the bucket
    :param tags: tag key -> value, all of which must be equal
    A tag value may hold a line's end or NUL; ``influxql_delete`` must say it then.

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
        literals.require_encodable(value)
        terms.append(f"{_quote(validate_name('tag', key))}={_quote(value)}")
    return " AND ".join(terms)


def _quote(text: str) -> str:
    """Double quotes, with a backslash before quotes and backslashes; single quotes are refused by the server."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def needs_influxql(predicate: str) -> bool:
    """Whether a predicate holds what the parser of deletes takes for its end."""
    return any(character in predicate for character in "\r\n\0")


def influxql_delete(predicate: str, interval: Interval, lacking: Sequence[str] = ()) -> str:
    """The same delete as an InfluxQL statement, whose regular expressions can name every character of a value.

    :param predicate: made by ``delete_predicate``
    :param lacking: keys of tags that a series must not have, which only InfluxQL can say
    """
    measurement, *names = [_unquoted(text) for text in _QUOTED.findall(predicate)]
    terms = [
        f"{_identifier(key)} =~ {_exactly(value)}" for key, value in zip(names[::2], names[1::2], strict=True)
    ]
    terms += [f"{_identifier(key)} = ''" for key in lacking]
    terms.append(f"time >= '{rfc3339(interval.start_ns)}'")
    terms.append(f"time <= '{rfc3339(interval.stop_ns - 1)}'")
    return f"DELETE FROM {_exactly(measurement)} WHERE {' AND '.join(terms)}"  # noqa: S608 - every name is quoted


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _identifier(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _exactly(text: str) -> str:
    """A regular expression that matches this text and no other."""
    return literals.regex(f"^{literals.quote_pattern(text)}$")
