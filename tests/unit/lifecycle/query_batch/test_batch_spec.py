"""Which questions a batch asks, and which batches are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError, WindowMisaligned
from airflow_provider_influx_rollup.lifecycle.query_batch.spec import QueryBatchSpec, named_params
from airflow_provider_influx_rollup.windows.interval import Interval

START = datetime(2024, 5, 6, tzinfo=UTC)
DAY = Interval(START, START + timedelta(days=1))


def test_each_script_is_asked_with_each_set_of_parameters_in_each_window() -> None:
    spec = QueryBatchSpec(
        queries={"hot": "a", "cold": "b"},
        params={"limit": 1, "site": "all"},
        params_each={"north": {"site": "n"}, "south": {"site": "s"}},
        every="6h",
        first_rows=3,
    )
    questions = spec.questions(DAY)
    starts = [START + hours * timedelta(hours=1) for hours in (0, 6, 12, 18)]
    assert [(one.name, one.query.flux, one.window.start) for one in questions] == [
        (f"{script}/{where}", flux, start)
        for script, flux in (("hot", "a"), ("cold", "b"))
        for where in ("north", "south")
        for start in starts
    ]
    assert {one.window.duration for one in questions} == {timedelta(hours=6)}
    assert [one.query.params for one in questions[::4]] == [
        {"limit": 1, "site": "n"},
        {"limit": 1, "site": "s"},
    ] * 2
    assert {one.query.first_rows for one in questions} == {3}


def test_question_has_the_name_of_what_tells_it_apart() -> None:
    def names(**given: Any) -> list[str]:
        return [one.name for one in QueryBatchSpec(**given).questions(DAY)]

    assert names(queries={"hot": "a", "cold": "b"}) == ["hot", "cold"]
    assert names(queries={"hot": "a"}, params_each={"n": {}, "s": {}}) == ["n", "s"]


def test_local_days_are_windows_when_the_clocks_change() -> None:
    start, stop = datetime(2024, 3, 29, 23, tzinfo=UTC), datetime(2024, 4, 1, 22, tzinfo=UTC)
    spec = QueryBatchSpec(queries={"q": "a"}, every="1d", timezone="Europe/Berlin")
    lengths = [one.window.duration / timedelta(hours=1) for one in spec.questions(Interval(start, stop))]
    assert lengths == [24, 23, 24]


def test_windows_are_refused_when_they_do_not_tile_the_interval() -> None:
    with pytest.raises(WindowMisaligned):
        QueryBatchSpec(queries={"q": "a"}, every="7h").questions(DAY)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"queries": {}}, "without a query"),
        ({"queries": {"q": "a"}, "params_each": {}}, "without params_each"),
        ({"queries": {"q": " "}}, "not a script"),
        ({"queries": {"q": "a"}, "max_parallel": 0}, "max_parallel=0"),
        ({"queries": {"q": "a"}, "max_parallel": 9}, "max_parallel=9"),
        ({"queries": {"q": "a"}, "on_query_error": "no"}, "on_query_error='no'"),
        ({"queries": {"q": "a"}, "first_rows": 10**6}, "first_rows"),
    ],
)
def test_batch_is_refused_when_it_is_impossible(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        QueryBatchSpec(**given)


def test_batch_is_refused_when_it_has_too_many_questions() -> None:
    spec = QueryBatchSpec(queries={"a": "a", "b": "b"}, every="1s")
    with pytest.raises(ConfigurationError, match="more than 100,000"):
        spec.questions(DAY)


def test_sets_of_parameters_have_names() -> None:
    assert named_params(None) is None
    assert named_params({"n": {"site": "north"}}) == {"n": {"site": "north"}}
    sets = [{"site": "a", "least": 2}, {"site": "b", "least": 2}]
    assert named_params(sets) == {"site=a, least=2": sets[0], "site=b, least=2": sets[1]}


@pytest.mark.parametrize("given", ["site", 3, [{"a": 1}, {"a": 1}], [1], {"n": "a"}])
def test_sets_of_parameters_are_refused_when_they_are_none(given: object) -> None:
    with pytest.raises(ConfigurationError, match="params_each"):
        named_params(given)
