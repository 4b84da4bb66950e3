"""What a batch returns stays small, keeps what it counts, and becomes one error that names what failed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_influx_rollup.exceptions import (
    InfluxOverloaded,
    InfluxRollupError,
    InfluxUnauthorized,
    InfluxUnavailable,
    QueryFailed,
    QueryTooLarge,
)
from airflow_provider_influx_rollup.lifecycle.query.query import MAX_CHARACTERS, QueryAnswer
from airflow_provider_influx_rollup.lifecycle.query_batch.batch_result import BatchResult
from airflow_provider_influx_rollup.lifecycle.query_batch.enough import Enough
from airflow_provider_influx_rollup.lifecycle.query_batch.failure import failure_of
from airflow_provider_influx_rollup.lifecycle.query_batch.spec import QueryBatchSpec
from airflow_provider_influx_rollup.windows.interval import Interval

START = datetime(2024, 5, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


def make_result(hours: int, *, minutes: int = 60) -> BatchResult:
    """A batch of one script, of which nothing was asked yet."""
    interval = Interval(START, START + hours * HOUR)
    spec = QueryBatchSpec(queries={"hot": "x"}, every=f"{minutes}m")
    return BatchResult(window=interval, questions=spec.questions(interval))


def answer(result: BatchResult, number: int, *rows: str) -> None:
    """Give a question an answer."""
    found = [{"_value": row} for row in rows]
    result.add(number, QueryAnswer(result.questions[number].window, len(rows), found, bool(rows)))


def test_batch_returns_what_it_found_and_what_failed() -> None:
    result = make_result(4)
    answer(result, 1, "x", "y")
    result.add(2, QueryFailed("it is wrong", fix="mend it"))
    answer(result, 0)
    result.reason = "of this"
    found = result.as_json()
    assert json.loads(json.dumps(found)) == found
    assert found == {
        "window": {"start": "2024-05-06T00:00:00Z", "stop": "2024-05-06T04:00:00Z"},
        "queries": 4,
        "answered": 2,
        "failed": 1,
        "not_asked": 1,
        "reason_not_asked": "of this",
        "asked_again": 0,
        "rows": 2,
        "answers": [
            {
                "query": "hot",
                "window": {"start": "2024-05-06T00:00:00Z", "stop": "2024-05-06T01:00:00Z"},
                "rows": 0,
                "is_true": False,
                "first_rows": [],
            },
            {
                "query": "hot",
                "window": {"start": "2024-05-06T01:00:00Z", "stop": "2024-05-06T02:00:00Z"},
                "rows": 2,
                "is_true": True,
                "first_rows": [{"_value": "x"}, {"_value": "y"}],
            },
        ],
        "answers_left_out": 0,
        "failures": [
            {
                "query": "hot",
                "window": {"start": "2024-05-06T02:00:00Z", "stop": "2024-05-06T03:00:00Z"},
                "error": "QueryFailed",
                "message": "it is wrong",
                "to_do": "mend it",
            }
        ],
        "may_pass": False,
    }


def test_batch_stays_small_and_counts_everything_when_it_has_many_long_answers() -> None:
    result = make_result(24, minutes=1)
    for number in range(1400):
        answer(result, number, "x" * 1000, "y")
    for number in range(1400, 1440):
        result.add(number, QueryFailed("z" * 10_000))
    found = result.as_json()
    assert (found["rows"], found["answered"], found["failed"], found["not_asked"]) == (2800, 1400, 40, 0)
    assert (len(found["answers"]), found["answers_left_out"]) == (1000, 400)
    assert {one["rows"] for one in found["answers"]} == {2}
    kept = sum(len(json.dumps(row)) for one in found["answers"] for row in one["first_rows"])
    assert MAX_CHARACTERS - 1100 < kept <= MAX_CHARACTERS
    assert len(json.dumps(found)) < 350_000


def test_question_that_is_answered_at_the_second_try_has_not_failed() -> None:
    result = make_result(1)
    result.add(0, QueryTooLarge("memory"))
    answer(result, 0, "x")
    assert (result.as_json()["failed"], result.as_json()["answered"]) == (0, 1)


def test_error_names_each_query_with_its_windows_and_what_to_do() -> None:
    result = make_result(5)
    answer(result, 0)
    for number in (1, 2):
        result.add(number, QueryFailed("it is wrong.", fix="mend it"))
    result.add(3, QueryTooLarge("no memory"))
    result.reason = "the sky fell"
    error = failure_of(result.as_json(), "fail_at_end", kept="here")
    assert str(error) == (
        "3 of 5 queries failed, and 1 were not asked, as the sky fell. "
        "hot, 2 windows in [2024-05-06T01:00:00Z, 2024-05-06T03:00:00Z): QueryFailed: it is wrong. "
        "hot, [2024-05-06T03:00:00Z, 2024-05-06T04:00:00Z): QueryTooLarge: no memory. "
        "Window: [2024-05-06T00:00:00Z, 2024-05-06T05:00:00Z). "
        "Written: nothing, unless a script writes; 1 answers are here. To do: mend it."
    )
    assert error is not None
    assert not error.permanent


@pytest.mark.parametrize(
    ("answered", "failed", "on_query_error", "fails"),
    [
        (2, 0, "fail_at_end", False),
        (1, 1, "fail_at_end", True),
        (1, 1, "fail_fast", True),
        (1, 1, "skip", False),
        (0, 2, "skip", True),
        (1, 0, "skip", True),
    ],
)
def test_task_fails_as_the_dag_says(answered: int, failed: int, on_query_error: str, fails: bool) -> None:
    result = make_result(2)
    for number in range(answered):
        answer(result, number)
    for number in range(answered, answered + failed):
        result.add(number, QueryFailed("it is wrong"))
    error = failure_of(result.as_json(), on_query_error, kept="here")
    assert (error is not None) == fails
    if error is not None:
        # what was not asked for a reason that passes may be asked in another try
        assert error.permanent == (failed > 0)


DOWN, FULL, WRONG, LARGE = (
    kind("x") for kind in (InfluxUnavailable, InfluxOverloaded, QueryFailed, QueryTooLarge)
)


@pytest.mark.parametrize(
    ("outcomes", "at_once", "is_enough"),
    [
        ([DOWN, FULL], 1, False),
        ([DOWN, FULL, DOWN], 1, True),
        ([DOWN] * 7, 8, False),
        ([DOWN] * 8, 8, True),
        ([DOWN, DOWN, None, DOWN], 1, False),
        ([DOWN, DOWN, WRONG, DOWN], 1, False),
        ([WRONG] * 50, 1, False),
        ([LARGE] * 50, 1, False),
        ([InfluxUnauthorized("x")], 8, True),
    ],
)
def test_nothing_more_is_asked_when_the_server_does_not_answer(
    outcomes: list[InfluxRollupError | None], at_once: int, is_enough: bool
) -> None:
    enough = Enough(fails_fast=False, at_once=at_once)
    assert [enough(outcome) for outcome in outcomes][-1] == is_enough
    assert (enough.reason is not None) == is_enough


def test_first_error_is_enough_when_the_batch_fails_fast() -> None:
    enough = Enough(fails_fast=True, at_once=4)
    assert [enough(outcome) for outcome in (None, WRONG, None)] == [False, True, True]
