"""The text of delete predicates; tests/live/test_flux_literals.py shows what they delete."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError, InvalidName
from airflow_provider_influx_rollup.flux.delete_predicate import (
    delete_predicate,
    influxql_delete,
    needs_influxql,
)
from airflow_provider_influx_rollup.windows.interval import Interval


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


def test_a_delete_is_said_in_influxql_when_a_value_has_a_carriage_return() -> None:
    assert not needs_influxql(delete_predicate("m", {"host": "srv1"}))
    predicate = delete_predicate('m"x', {'ho"s\\t': "a.b/\r", "site": 'C:\\x "y"'})
    assert needs_influxql(predicate)
    hour = Interval(datetime(2025, 3, 8, tzinfo=UTC), datetime(2025, 3, 8, 1, tzinfo=UTC))
    assert influxql_delete(predicate, hour) == (
        'DELETE FROM /^m"x$/ WHERE "ho\\"s\\\\t" =~ /^a\\.b\\/\\r$/ AND "site" =~ /^C:\\\\x "y"$/ '
        "AND time >= '2025-03-08T00:00:00.000000000Z' AND time <= '2025-03-08T00:59:59.999999999Z'"
    )


def test_a_delete_names_tags_that_a_series_must_not_have_in_influxql() -> None:
    hour = Interval(datetime(2025, 3, 8, tzinfo=UTC), datetime(2025, 3, 8, 1, tzinfo=UTC))
    assert influxql_delete(delete_predicate("m", {"site": "a"}), hour, ['ra"ck', "zone"]) == (
        'DELETE FROM /^m$/ WHERE "site" =~ /^a$/ AND "ra\\"ck" = \'\' AND "zone" = \'\' '
        "AND time >= '2025-03-08T00:00:00.000000000Z' AND time <= '2025-03-08T00:59:59.999999999Z'"
    )
