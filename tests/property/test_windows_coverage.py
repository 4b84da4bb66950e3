"""The algebra of intervals against sets of whole hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.windows.coverage import merge, missing, subtract
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.examples import examples

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def interval(start: int, length: int) -> Interval:
    return Interval(T0 + start * HOUR, T0 + (start + length) * HOUR)


def hours(intervals: list[Interval]) -> set[int]:
    return {n for i in intervals for n in range((i.start - T0) // HOUR, (i.stop - T0) // HOUR)}


def assert_canonical(intervals: list[Interval]) -> None:
    assert all(left.stop < right.start for left, right in pairwise(intervals))


spans = st.lists(st.builds(interval, st.integers(0, 40), st.integers(1, 12)), max_size=10)


@settings(max_examples=examples(200), deadline=None)
@given(spans, spans)
def test_algebra_agrees_with_sets(left: list[Interval], right: list[Interval]) -> None:
    for result, expected in (
        (merge(left), hours(left)),
        (merge([*left, *right]), hours(left) | hours(right)),
        (subtract(left, right), hours(left) - hours(right)),
    ):
        assert hours(result) == expected
        assert_canonical(result)


@settings(max_examples=examples(200), deadline=None)
@given(spans, spans)
def test_missing_windows_agree_with_sets(windows: list[Interval], done: list[Interval]) -> None:
    assert missing(windows, done) == [w for w in windows if not hours([w]) <= hours(done)]
