"""The text of delete predicates; tests/live/test_flux_literals.py shows what they delete."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError, InvalidName
from airflow_provider_influx_rollup.flux.delete_predicate import delete_predicate


def test_names_and_values_are_quoted_when_a_predicate_is_made() -> None:
    assert delete_predicate("m") == '_measurement="m"'
    predicate = delete_predicate('m"x', {"b": "a\\b c", "AND": "or"})
    assert predicate == '_measurement="m\\"x" AND "AND"="or" AND "b"="a\\\\b c"'


@pytest.mark.parametrize("key", ["_field", "_value", "_time", "_measurement"])
def test_a_predicate_is_refused_when_it_names_a_column(key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"cannot delete by {key}"):
        delete_predicate("m", {key: "x"})


def test_a_predicate_is_refused_when_something_is_empty() -> None:
    with pytest.raises(ConfigurationError, match="without the tag 'site'"):
        delete_predicate("m", {"site": ""})
    with pytest.raises(InvalidName):
        delete_predicate("", {})
