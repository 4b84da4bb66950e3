"""What an answer says, and how much of it is returned."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.archive.annotated_rows import Row
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.query.query import (
    MAX_CHARACTERS,
    QuerySpec,
    is_true,
    json_value,
    run_query,
    small_rows,
    steps_from_job,
)
from airflow_provider_influx_rollup.steps.influx import Query
from airflow_provider_influx_rollup.windows.interval import Interval

START = datetime(2024, 5, 6, 10, tzinfo=UTC)
WINDOW = Interval(START, START + timedelta(hours=1))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], False),
        ([{"_value": 0}, {"_value": 0.0}, {"_value": ""}, {"_value": None}, {"_value": False}], False),
        ([{"_value": float("nan")}], False),
        ([{"_value": 0}, {"_value": -1}], True),
        ([{"_value": float("inf")}], True),
        ([{"_value": "false"}], True),
        ([{"_value": True}], True),
        ([{"device": "d1"}], True),
        ([{"_value": START}], True),
    ],
)
def test_answer_is_true_when_any_row_says_yes(rows: list[dict[str, Any]], expected: bool) -> None:
    assert is_true(rows) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (START, "2024-05-06T10:00:00Z"),
        (float("nan"), "nan"),
        (2, 2),
        (None, None),
        (timedelta(1), "1 day, 0:00:00"),
    ],
)
def test_values_are_what_json_knows(value: Any, expected: Any) -> None:
    assert json_value(value) == expected


def test_answer_stays_small_when_its_rows_are_long() -> None:
    rows = [{"_value": "x" * 1000} for _ in range(1000)]
    assert 90 < len(small_rows(rows, 1000)) < 100
    assert small_rows([{"_value": "x" * MAX_CHARACTERS}], 1) == []
    assert len(small_rows(rows, 3)) == 3


def test_window_is_bound_and_never_pasted() -> None:
    steps = steps_from_job(
        {"spec": {"flux": "x", "every": "10m"}, "intervals": [WINDOW.as_json()]}, lambda: START
    )
    query = next(steps)
    assert isinstance(query, Query)
    assert (query.flux, query.now) == ("x", WINDOW.stop)
    assert "2024-05-06T11:00:00Z" in json.dumps(query.extern)
    steps.send([Row({"_value": 1, "table": "oak"}, yield_name="sums", table_number=2)])
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value.as_json() == {
        "window": WINDOW.as_json(),
        "rows": 1,
        "first_rows": [{"result": "sums", "table": "oak", "_value": 1}],
        "is_true": True,
    }


@pytest.mark.parametrize(
    "given",
    [{"flux": " "}, {"flux": None}, {"flux": "x", "first_rows": True}, {"flux": "x", "first_rows": 10**6}],
)
def test_question_is_refused_when_it_is_impossible(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        run_query(QuerySpec(**given), WINDOW)
