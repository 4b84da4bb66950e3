from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.aggregates.catalog import find_aggregate
from airflow_provider_influx_rollup.aggregates.selection import Column
from airflow_provider_influx_rollup.exceptions import (
    ConfigurationError,
    InfluxRollupError,
    InfluxUnavailable,
    SourceChanging,
    SourceIncomplete,
    WindowFrozen,
    WindowsFailed,
    WriteRejected,
)
from airflow_provider_influx_rollup.lifecycle.rollup.blocks import (
    MAX_POINTS_PER_BLOCK,
    POINTS_OF_SMALL_BLOCK,
    values_of_a_window,
    windows_in_a_block,
)
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.window_errors import failures_as_one, gaps_of, is_of_windows
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.runs import blocks_of, halves, stretches

START = datetime(2025, 3, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOWS = [Interval(START + index * HOUR, START + (index + 1) * HOUR) for index in range(60)]


@given(st.sets(st.integers(0, 59)), st.integers(1, 9))
def test_blocks_are_neighbours_and_hold_each_wanted_window_once(chosen: set[int], most: int) -> None:
    wanted = [WINDOWS[index] for index in sorted(chosen)]
    blocks = blocks_of(stretches(WINDOWS, wanted), most)
    assert [window for block in blocks for window in block] == wanted
    for block in blocks:
        assert 1 <= len(block) <= most
        assert all(left.stop == right.start for left, right in itertools.pairwise(block))


@given(st.integers(2, 60))
def test_halves_make_progress_and_lose_nothing(count: int) -> None:
    parts = halves(WINDOWS[:count])
    assert [window for part in parts for window in part] == WINDOWS[:count]
    assert [len(part) for part in parts] == [(count + 1) // 2, count // 2]


@pytest.mark.parametrize(
    ("count", "points", "wanted", "most"),
    [
        (9_000, 0, None, 2_500),
        (9_000, 3 * POINTS_OF_SMALL_BLOCK, None, 2_500),
        (9_000, 9 * POINTS_OF_SMALL_BLOCK, None, 1_000),
        (9_000, 90 * POINTS_OF_SMALL_BLOCK, None, 500),
        (24, 10**6, None, 24),
        (24, 6 * MAX_POINTS_PER_BLOCK, None, 4),
        (3, 100 * MAX_POINTS_PER_BLOCK, None, 1),
        (24, 10**12, 10, 10),
    ],
)
def test_block_has_some_minutes_of_points_unless_the_user_says_how_many_windows(
    count: int, points: int, wanted: int | None, most: int
) -> None:
    assert windows_in_a_block(count, points, wanted) == most


@pytest.mark.parametrize(
    ("points", "series", "values"),
    [
        # many points of few series: a value for each series and column; few points of many: none without a point
        ({"temp": 240_000, "load": 240_000}, {"temp": 100, "load": 100}, 300.0),
        ({"temp": 240, "load": 24}, {"temp": 100_000, "load": 100_000}, 21.0),
        ({"temp": 240}, {"temp": 3}, 6.0),
        ({}, {}, 0.0),
    ],
)
def test_window_has_a_value_for_each_column_of_a_series_that_has_a_point(
    points: dict[str, int], series: dict[str, int], values: float
) -> None:
    columns = [
        Column(field=name, field_type="float", aggregate=find_aggregate(aggregate))
        for name, aggregate in (("temp", "count"), ("temp", "max"), ("load", "max"))
    ]
    assert values_of_a_window(columns, points, series, 24) == values


REFUSED = WriteRejected("field type conflict", fix="another target")
CHANGING = SourceChanging("points came")
FROZEN = WindowFrozen("has 0 of the 12 points", window=WINDOWS[0])


@pytest.mark.parametrize(
    ("errors", "permanent"),
    [((REFUSED, FROZEN), True), ((REFUSED, CHANGING), False), ((CHANGING, CHANGING), False)],
)
def test_error_of_several_windows_is_permanent_when_all_causes_are(
    errors: tuple[InfluxRollupError, ...], permanent: bool
) -> None:
    failed = dict(zip(WINDOWS, errors, strict=False))
    error = failures_as_one(WINDOWS, failed, None, 58)
    assert isinstance(error, WindowsFailed)
    assert error.permanent is permanent
    assert error.failed == list(failed.items())
    assert "2 of 60 windows failed" in str(error)
    assert "58 windows are COMMITTED" in str(error)
    assert all(type(cause).__name__ in str(error) for cause in errors)


def test_one_error_stands_for_all_when_no_window_was_committed_and_all_have_one_cause() -> None:
    whole = WriteRejected("all of it")
    assert failures_as_one(WINDOWS[:2], dict.fromkeys(WINDOWS[:2], REFUSED), whole, 0) is whole
    assert failures_as_one(WINDOWS[:1], {WINDOWS[0]: REFUSED}, None, 0) is REFUSED
    frozen = failures_as_one(WINDOWS[:2], dict.fromkeys(WINDOWS[:2], FROZEN), None, 0)
    assert isinstance(frozen, WindowFrozen)
    assert "2 of 2 windows are frozen: has 0 of the 12 points" in str(frozen)
    empty = failures_as_one(WINDOWS[:5], {window: SourceIncomplete("-") for window in WINDOWS[:2]}, None, 3)
    assert isinstance(empty, SourceIncomplete)
    assert "2 of 5 windows have no points" in str(empty)


def test_message_stays_short_when_many_windows_fail_for_many_causes() -> None:
    failed: dict[Interval, InfluxRollupError] = {
        window: [REFUSED, CHANGING][index % 2] for index, window in enumerate(WINDOWS)
    }
    assert "and 50 more" in str(failures_as_one(WINDOWS, failed, None, 0))


def test_neighbours_with_one_kind_of_reason_are_told_together() -> None:
    why = {WINDOWS[0]: "A: 1", WINDOWS[1]: "A: 2", WINDOWS[2]: "B: 1", WINDOWS[4]: "B: 2"}
    assert gaps_of(WINDOWS, why) == [
        ((WINDOWS[0], WINDOWS[1]), "A: 1"),
        ((WINDOWS[2],), "B: 1"),
        ((WINDOWS[4],), "B: 2"),
    ]


def test_error_is_of_the_whole_run_when_every_window_would_meet_it() -> None:
    assert is_of_windows(REFUSED)
    assert not is_of_windows(InfluxUnavailable("connection refused"))


@pytest.mark.parametrize(
    "changes",
    [
        {"heal": "7"},
        {"heal": "0s"},
        {"heal_max_windows": 0},
        {"windows_per_block": 0},
        {"windows_per_block": True},
        {"on_window_error": "ignore"},
    ],
)
def test_options_are_refused_when_they_are_not_possible(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        replace(RollupOptions(), **changes)  # type: ignore[arg-type]


def test_options_are_the_same_after_a_trip_through_json() -> None:
    options = RollupOptions(
        heal="7d", heal_max_windows=12, force=True, windows_per_block=3, on_window_error="fail_fast"
    )
    assert RollupOptions.from_json(options.as_json()) == options
