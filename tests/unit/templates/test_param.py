"""Parameters with a type take what a template gives, or are refused with their name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.templates.environments import read_environments, values_of
from airflow_provider_influx_rollup.templates.param import FluxParam, bound_params
from airflow_provider_influx_rollup.windows.duration import Duration

NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("string", "5", "5"),
        ("string", "", ""),
        ("string", "None", "None"),
        ("int", "5", 5),
        ("int", 5, 5),
        ("float", "5", 5.0),
        ("float", 5, 5.0),
        ("bool", "True", True),
        ("bool", False, False),
        ("time", "2025-01-01T00:00:00Z", NEW_YEAR),
        ("time", "2025-01-01", NEW_YEAR),
        ("time", NEW_YEAR, NEW_YEAR),
        ("duration", "1h", Duration.parse("1h")),
        ("duration", timedelta(hours=1), timedelta(hours=1)),
        ("[string]", '["a", "b"]', ["a", "b"]),
        ("[int]", ("1", 2), [1, 2]),
        ("[int]", [], []),
    ],
)
def test_value_has_the_type_of_its_parameter(kind: str, given: object, value: object) -> None:
    found = FluxParam(kind).bound(given, "p")
    assert (found, type(found)) == (value, type(value))
    assert bound_params({"p": FluxParam(kind, given), "q": 1}) == {"p": value, "q": 1}


@pytest.mark.parametrize(
    ("kind", "given", "says"),
    [
        ("string", 5, "a text"),
        ("int", "5.5", "a whole number"),
        ("int", True, "a whole number"),
        ("int", "a", "a whole number"),
        ("float", "a", "a number"),
        ("float", True, "a number"),
        ("bool", 1, "true or false"),
        ("time", "now", "not an ISO 8601 time"),
        ("time", "2025-01-01T00:00:00", "no time zone"),
        ("duration", 5, "a duration"),
        ("[int]", "1", "a list"),
        ("[int]", "x", "a list"),
    ],
)
def test_value_is_refused_with_its_name_when_it_has_another_type(kind: str, given: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as refused:
        FluxParam(kind).bound(given, "least")
    assert "the parameter least" in refused.value.what


@pytest.mark.parametrize("given", [None, "", "None", " null "])
def test_default_counts_when_nothing_is_given(given: Any) -> None:
    assert FluxParam("int", default="7").bound(given, "p") == 7
    with pytest.raises(ConfigurationError, match="the parameter p has no value and no default"):
        FluxParam("int").bound(given, "p")


def test_parameter_is_refused_when_it_is_made_wrongly() -> None:
    for kind in ("text", "[text]", "[int", "int]", ""):
        with pytest.raises(ConfigurationError, match="there is no type"):
            FluxParam(kind)
    with pytest.raises(ConfigurationError, match="the default is 'a', not a whole number"):
        FluxParam("int", default="a")


def test_parameters_stay_as_they_are_when_none_has_a_type() -> None:
    plain = {"a": 1}
    assert bound_params(plain) is plain
    assert bound_params(None) is None


def test_values_of_an_environment_are_found_with_and_without_a_key_around_them() -> None:
    text = "dev: {raw: a}\nprod: {raw: b}\n"
    under = "environments:\n  dev: {raw: a}\n  prod: {raw: b}\n"
    assert read_environments(text, "e.yaml") == read_environments(under, "e.yaml")
    assert values_of(read_environments(text, "e.yaml"), "prod") == {"raw": "b"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "e.yaml, line "),
        ("", "e.yaml holds no environments"),
        ("[a]", "e.yaml holds no environments"),
        ("a: 1", "e.yaml: the environment 'a' is not a name with values"),
        ("1: {}", "e.yaml: the environment 1 is not a name with values"),
        ("dev: {a: 1, b: 2}\nprod: {a: 1}", "e.yaml: prod lacks b, which dev has"),
    ],
)
def test_environments_are_refused_with_their_file_when_they_are_none(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_environments(text, "e.yaml")
    assert refused.value.what.startswith(says)


@pytest.mark.parametrize(("chosen", "says"), [(None, "none is chosen"), ("x", "there is no environment 'x'")])
def test_environment_is_refused_when_it_is_not_there(chosen: str | None, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as refused:
        values_of({"dev": {}, "prod": {}}, chosen)
    assert "dev, prod" in str(refused.value)
