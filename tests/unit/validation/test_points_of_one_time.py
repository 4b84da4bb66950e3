"""Points of one series and time, as a tag set under several series keys has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from airflow_provider_influx_rollup.validation.points import Points


def points(series: list[int], times: list[int], values: list[Any]) -> Points:
    array = np.array(values, object if any(isinstance(one, str) for one in values) else None)
    return Points.sorted("v", "float", np.array(series, np.int64), np.array(times, np.int64), array)


@pytest.mark.parametrize("values", [[3, 1, 2, 0], [0, 2, 1, 3]])
def test_values_decide_the_order_when_times_are_equal(values: list[int]) -> None:
    found = points([1, 1, 1, 0], [5, 5, 5, 5], values)
    assert found.series.tolist() == [0, 1, 1, 1]
    assert found.values.tolist() == [values[3], *sorted(values[:3])]


def test_texts_are_ordered_too_when_times_are_equal() -> None:
    assert points([0, 0, 0], [5, 5, 4], ["z", "ä", "b"]).values.tolist() == ["b", "z", "ä"]


def test_the_smallest_stays_when_one_point_of_each_time_is_taken() -> None:
    found = points([0, 0, 0, 1], [5, 5, 6, 6], [9, 8, 7, 6]).first_of_each_time()
    assert list(zip(found.series.tolist(), found.time_ns.tolist(), found.values.tolist(), strict=True)) == [
        (0, 5, 8),
        (0, 6, 7),
        (1, 6, 6),
    ]


@pytest.mark.parametrize(
    ("count", "kept"), [(1, [3, 4, 9]), (2, [2, 3, 4, 8, 9]), (9, [1, 2, 3, 4, 7, 8, 9])]
)
def test_the_last_points_of_each_series_stay_when_more_were_read(count: int, kept: list[int]) -> None:
    found = points([0, 0, 0, 1, 2, 2, 2], [1, 2, 3, 1, 1, 2, 3], [1, 2, 3, 4, 7, 8, 9])
    assert found.last_of_each_series(count).values.tolist() == kept
    assert len(points([], [], []).last_of_each_series(count)) == 0
