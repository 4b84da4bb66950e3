"""The hash of what a window of a tier was merged from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.ledger.merged_from import LowerWindows
from airflow_provider_influx_rollup.windows.interval import Interval, to_ns

START = datetime(2025, 3, 1, tzinfo=UTC)
DAY = Interval(START, START + timedelta(days=1))
HOUR_NS = 3_600 * 10**9
COMMITTED = START + timedelta(days=2)
EARLIER = COMMITTED - timedelta(microseconds=1)
CHECKSUMS = st.dictionaries(st.integers(-3, 27), st.sampled_from(["00", "01", "0f"]), max_size=12)


def lower(checksums: dict[int, str]) -> LowerWindows:
    """Of hours, counted from the day's start."""
    return LowerWindows.of(
        (DAY.start_ns + hour * HOUR_NS, to_ns(COMMITTED), text) for hour, text in checksums.items()
    )


@given(CHECKSUMS, CHECKSUMS)
def test_hash_is_the_same_just_when_the_windows_inside_are(
    one: dict[int, str], other: dict[int, str]
) -> None:
    inside = [{hour: text for hour, text in some.items() if 0 <= hour < 24} for some in (one, other)]
    are_same = lower(one).hash_of(DAY) == lower(other).hash_of(DAY)
    assert are_same == (inside[0] == inside[1])
    assert lower(one).are_those_of(DAY, lower(other).hash_of(DAY), EARLIER) == are_same


@pytest.mark.parametrize("merged_from", [None, ""])
@pytest.mark.parametrize("hour", [-1, 0, 23, 24])
def test_window_that_does_not_tell_counts_until_one_in_it_is_committed_later(
    hour: int, merged_from: str | None
) -> None:
    some = lower({hour: "00"})
    assert some.are_those_of(DAY, merged_from, COMMITTED)
    assert some.are_those_of(DAY, merged_from, EARLIER) == (not 0 <= hour < 24)
