"""What a complete window is, without a server."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.archive.annotated_rows import Row
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.completeness import SeriesCount, SeriesCounts
from airflow_provider_influx_rollup.flux.inventory import SeriesSource
from airflow_provider_influx_rollup.lifecycle.completeness.completeness import check_windows
from airflow_provider_influx_rollup.lifecycle.completeness.gaps import (
    WindowCount,
    count_windows,
    describe_gap,
    find_gap,
)
from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
from airflow_provider_influx_rollup.lifecycle.source.inventory import match_series
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.equal_runs import equal_runs
from airflow_provider_influx_rollup.windows.interval import Interval

START = datetime(2024, 5, 6, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = Interval(START, START + HOUR)
SPEC = CompletenessSpec(bucket="raw", measurement="fleet", every="1h", lateness="10m")
A, B = ((("device", name), ("site", "x")) for name in "ab")

tag_sets = st.dictionaries(st.sampled_from("pqr"), st.sampled_from("123"), max_size=3)


def gap(points: dict[Any, int], **kwargs: Any) -> Any:
    settings = {"expected": None, "cadence": None, "min_completeness": 1.0} | kwargs
    return find_gap(WindowCount(WINDOW, points, sum(points.values())), **settings)


def test_window_is_empty_when_it_has_no_point() -> None:
    assert not gap({}).is_complete
    assert gap({A: 1}).is_complete


def test_missing_series_are_found_when_they_are_listed() -> None:
    found = gap({A: 1}, expected=((("device", "a"),), (("device", "b"),)))
    assert found.missing == ((("device", "b"),),)
    assert found.completeness == 0.5


@pytest.mark.parametrize(("wanted", "lacking"), [(1, 0), (2, 0), (5, 3)])
def test_series_lack_when_a_number_is_expected(wanted: int, lacking: int) -> None:
    assert gap({A: 1, B: 1}, expected=wanted).lacking == lacking


@pytest.mark.parametrize(
    ("points", "share", "is_complete"), [(360, 1.0, True), (270, 0.75, True), (269, 0.75, False)]
)
def test_points_are_compared_with_the_cadence(points: int, share: float, is_complete: bool) -> None:
    found = gap({A: points}, cadence=Duration.parse("10s"), min_completeness=share)
    assert found.is_complete is is_complete


def test_completeness_is_at_most_one_when_there_are_too_many_points() -> None:
    found = gap({A: 7200, B: 180}, cadence=Duration.parse("10s"), min_completeness=0.5)
    assert found.completeness == 0.75


def test_unlisted_series_is_not_asked_for_its_cadence() -> None:
    found = gap({A: 360, B: 1}, cadence=Duration.parse("10s"), expected=((("device", "a"),),))
    assert found.is_complete


@given(listed=st.lists(tag_sets, min_size=1), reported=st.lists(tag_sets))
def test_listed_series_is_matched_exactly_when_one_has_all_its_tags(
    listed: list[dict[str, str]], reported: list[dict[str, str]]
) -> None:
    wanted = [tuple(sorted(tags.items())) for tags in listed]
    points = {tuple(sorted(tags.items())): 1 for tags in reported}
    missing, counting = match_series(wanted, points)
    assert set(missing) == {w for w in wanted if not any(set(w) <= set(found) for found in points)}
    assert set(counting) == {found for found in points if any(set(w) <= set(found) for w in wanted)}


def read(rows: list[dict[str, Any]]) -> list[SeriesCount]:
    (run,) = equal_runs([WINDOW])
    return SeriesCounts(SeriesSource("raw", "m"), run).read([Row(row) for row in rows])


def test_points_of_a_series_are_those_of_its_most_frequent_field() -> None:
    second = Interval(START + HOUR, START + 2 * HOUR)
    rows = [
        {"_time": START, "_field": "temp", "_value": 10, "device": "a"},
        {"_time": START, "_field": "state", "_value": 3, "device": "a"},
        {
            "_time": START + HOUR,
            "_field": "temp",
            "_value": 5,
            "device": "a",
        },
    ]
    first_count, second_count = count_windows([WINDOW, second], read(rows))
    assert (dict(first_count.points), first_count.rows) == ({(("device", "a"),): 10}, 13)
    assert (dict(second_count.points), second_count.rows) == ({(("device", "a"),): 5}, 5)


def test_points_of_a_field_are_added_up_when_a_tag_set_has_several_keys() -> None:
    rows = [
        {"_time": START, "_field": field, "_value": count, **tags}
        for field, count, tags in (
            ("temp", 10, {"device": "a", "site": "x"}),
            ("temp", 9, {"site": "x", "device": "a"}),
            ("state", 12, {"device": "a", "site": "x"}),
        )
    ]
    (counted,) = count_windows([WINDOW], read(rows))
    assert (dict(counted.points), counted.rows) == ({(("device", "a"), ("site", "x")): 19}, 31)


def test_description_is_short_when_many_series_are_missing() -> None:
    found = gap({A: 1}, expected=tuple((("device", f"d{number}"),) for number in range(100)))
    text = describe_gap(found)
    assert "100 series missing: device=d0; device=d1" in text
    assert "and 95 more" in text
    assert len(text) < 300


def test_nothing_is_asked_when_the_window_is_not_due() -> None:
    steps = check_windows(SPEC, WINDOW, lambda: START + HOUR + timedelta(minutes=9))
    assert isinstance(next(steps), Report)
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value is None


@pytest.mark.parametrize(
    "changes",
    [
        {"min_completeness": 0},
        {"min_completeness": 1.1},
        {"expected": 0},
        {"expected": True},
        {"expected": "all"},
        {"expected": ()},
    ],
)
def test_spec_is_refused_when_nothing_can_satisfy_it(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        replace(SPEC, **changes)


@pytest.mark.parametrize("expected", [None, 3, "inventory", ({"device": "a"},)])
def test_spec_is_the_same_after_a_trip_through_json(expected: Any) -> None:
    spec = replace(SPEC, expected=expected, fields=("temp",), tags={"site": ("a",)}, upstream="p")
    assert CompletenessSpec.from_json(json.loads(json.dumps(asdict(spec)))) == spec
