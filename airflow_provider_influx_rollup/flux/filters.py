"""``|> filter`` stages that the storage engine evaluates itself (pushed down)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.at_signs import (
    is_misread,
    own_names_stage,
    plain_name,
    plain_names_stage,
)
from airflow_provider_influx_rollup.flux.literals import RawFlux, regex, string
from airflow_provider_influx_rollup.flux.names import validate_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def measurement_filter(names: str | Iterable[str]) -> RawFlux:
    """Keep the rows of these measurements.

    :raises InvalidName: when InfluxDB could not hold such a name
    :raises ConfigurationError: when no name is given
    """
    return _filter([_equals("_measurement", validate_name("measurement", name)) for name in _listed(names)])


def field_filter(names: str | Iterable[str]) -> RawFlux:
    """Keep the rows of these fields (exact names; see ``flux/field_glob.py`` for globs).

    :raises InvalidName: when InfluxDB could not hold such a name
    :raises ConfigurationError: when no name is given
    """
    return _filter([_equals("_field", validate_name("field", name)) for name in _listed(names)])


def known_field_filter(names: Iterable[str]) -> RawFlux:
    """The same for names that the server has told, which it holds whatever they are.

    :raises ConfigurationError: when no name is given
    """
    return _filter([_equals("_field", name) for name in _listed(names)])


def tag_filter(tags: Mapping[str, str | Iterable[str]]) -> RawFlux:
    """Keep the series that have, for every tag key, one of the given values.

    :param tags: key -> value or values; ``""`` means that the series does not have the tag
    :raises InvalidName: when InfluxDB could not hold such a key or value
    :raises ConfigurationError: when a key has no values
    """
    stages = [_tag_stage(validate_name("tag", key), _listed(values)) for key, values in tags.items()]
    return RawFlux("\n".join(stages))


def _tag_stage(key: str, values: Sequence[str]) -> RawFlux:
    """One filter stage for one tag; no storage engine's when Flux reads the tag's name wrongly."""
    if not is_misread(key):
        return _filter([_tag_predicate(key, value) for value in values])
    chosen = _filter([_plain_predicate(plain_name(key), value) for value in values])
    return RawFlux(f"{plain_names_stage([key])}{chosen}\n{own_names_stage([key])}".rstrip("\n"))


def _plain_predicate(column: str, value: str) -> str:
    """The same outside of the storage engine, where a missing tag is null."""
    if not value:
        return f"not exists r[{string(column)}]"
    return _equals(column, validate_name("tag value", value))


def _tag_predicate(key: str, value: str) -> str:
    """Equality; a missing tag as a regular expression, because ``== ""`` is not pushed down and matches nothing."""
    if not value:
        return f"r[{string(key)}] =~ {regex('^$')}"
    return _equals(key, validate_name("tag value", value))


def _listed(names: str | Iterable[str]) -> list[str]:
    """Return the distinct names in their order; one string is one name.

    :raises ConfigurationError: when there is none
    """
    listed = [names] if isinstance(names, str) else list(dict.fromkeys(names))
    if not listed:
        what = "a filter without any name would keep nothing"
        raise ConfigurationError(what, fix="name at least one, or leave the filter out")
    return listed


def _equals(column: str, text: str) -> str:
    """``r["column"] == "text"``."""
    return f"r[{string(column)}] == {string(text)}"


def _filter(predicates: Sequence[str]) -> RawFlux:
    """One stage that keeps what any predicate accepts."""
    return RawFlux(f"  |> filter(fn: (r) => {_any_of(predicates)})")


def _any_of(predicates: Sequence[str]) -> str:
    """Return ``a or b or ...``; long lists as a balanced tree, since the parser refuses deep nesting (about 150)."""
    if len(predicates) <= 50:
        return " or ".join(predicates)
    middle = len(predicates) // 2
    return f"({_any_of(predicates[:middle])}) or ({_any_of(predicates[middle:])})"
