"""Times as people write them: read as what they mean, or refused."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import product

import pendulum
import pytest

from airflow_provider_influx_rollup.exceptions import WindowUndefined
from airflow_provider_influx_rollup.windows.instants import read_instant

# pieces of ISO 8601, right and wrong ones
DATES = [
    "2026-01-01",
    "20260101",
    "2026-W01-1",
    "2026W011",
    "2026-001",
    "2026001",
    "2026-01",
    "2026",
    "260101",
    "",
]
JOINS = ["T", "t", " ", "", "-", "+", "1", "x"]
CLOCKS = [
    *("10", "10:30", "1030", "10:30:15", "103015", "24:00", "10:30:60", ""),
    *("10.5", "10:30.5", "1030,5", "10:30:15.25", "103015.25", "10:30:15,123456", "10:30:15.1234567"),
]
OFFSETS = [
    "Z",
    "z",
    "+02",
    "+0200",
    "+02:00",
    " +02:00",
    "-00:00",
    "+02:75",
    "+0275",
    "+24:00",
    "+00:53:28",
    "",
]
TEN = datetime(2026, 1, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-01T10:00:00Z",
        "2026-01-01T10:00:00.000000Z",
        "2026-01-01T10:00:00,0Z",
        "20260101T100000Z",
        "2026-01-01T10Z",
        "2026-01-01t10:00:00Z",
        "2026-01-01 11:30:00+01:30",
        "2026-01-01 11:30:00 +01:30",
        "2026-W01-4T10:00:00Z",
        pendulum.datetime(2026, 1, 1, 10),
        pendulum.datetime(2026, 1, 1, 11, tz="Europe/Berlin"),
        pendulum.parse("2026-01-01T10:00:00"),
    ],
)
def test_time_is_a_plain_one_in_utc(value: object) -> None:
    found = read_instant(value, "start")
    assert (found, type(found), found.tzinfo) == (TEN, datetime, UTC)


@pytest.mark.parametrize("value", ["2026-01-01", date(2026, 1, 1), pendulum.date(2026, 1, 1)])
def test_date_is_its_first_instant_in_the_zone(value: object) -> None:
    assert read_instant(value, "start", "Europe/Berlin") == datetime(2025, 12, 31, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        # what Python reads as half a second after ten
        ("2026-01-01T10.5Z", "fraction of an hour or a minute"),
        ("2026-01-01T10:00.5Z", "fraction of an hour or a minute"),
        ("20260101T1000,5Z", "fraction of an hour or a minute"),
        # and as ten, with a 1 or a sign in place of the T
        ("2026-01-01110:00Z", "no T between"),
        ("2026-01-01-10:00Z", "no T between"),
        ("20260101110:00Z", "no T between"),
        ("2026-01-01T10:00:00+02:99", "offset of 60 minutes or more"),
        # what other readers take
        ("now", "not an ISO 8601 time"),
        ("2026", "not an ISO 8601 time"),
        ("2026-01", "not an ISO 8601 time"),
        ("2026001", "not an ISO 8601 time"),
        ("10:00", "not an ISO 8601 time"),
        ("2026-01-01/2026-01-02", "not an ISO 8601 time"),
        ("P1D", "not an ISO 8601 time"),
        ("2026-01-01T10:00:00+24:00", "not an ISO 8601 time"),
        (pendulum.naive(2026, 1, 1), "no time zone"),
        (pendulum.duration(days=1), "is a Duration, not a time"),
    ],
)
def test_time_is_refused_when_it_may_mean_another_one(value: object, words: str) -> None:
    with pytest.raises(WindowUndefined, match=words):
        read_instant(value, "start")


def test_text_means_the_same_to_pendulum_or_one_of_both_refuses_it() -> None:
    agreed = set()
    for text in map("".join, product(DATES, JOINS, CLOCKS, OFFSETS)):
        with suppress(WindowUndefined, ValueError):
            ours, theirs = read_instant(text, "start"), pendulum.parse(text, exact=True, tz=None)
            if isinstance(theirs, datetime):
                assert theirs.tzinfo is not None, text
                assert ours == theirs, text
                agreed.add(text)
    assert len(agreed) > 100
