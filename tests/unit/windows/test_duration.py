from __future__ import annotations

from datetime import timedelta

import pendulum
import pytest

from airflow_provider_influx_rollup.exceptions import InvalidDuration
from airflow_provider_influx_rollup.windows.duration import Duration, flux_text

HOUR_NS = 3_600_000_000_000


@pytest.mark.parametrize(
    ("text", "months", "nanoseconds"),
    [
        ("1h30m", 0, HOUR_NS * 3 // 2),
        ("1ns", 0, 1),
        ("2us", 0, 2_000),
        ("2\u00b5s", 0, 2_000),
        ("2\u03bcs", 0, 2_000),
        ("5ms", 0, 5_000_000),
        ("7s", 0, 7_000_000_000),
        ("3m", 0, 180_000_000_000),
        ("1d", 0, 24 * HOUR_NS),
        ("1w", 0, 168 * HOUR_NS),
        ("1mo", 1, 0),
        ("1q", 3, 0),
        ("1y2mo", 14, 0),
    ],
)
def test_flux_text_is_read(text: str, months: int, nanoseconds: int) -> None:
    assert Duration.parse(text) == Duration(months, nanoseconds)


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ("", "is empty", "1h"),
        ("  ", "is empty", "1h"),
        ("-1h", "is negative", "positive"),
        ("0s", "is zero", "positive"),
        ("3600", "has no unit", "such as s"),
        ("1.5h", "whole number", "1h30m"),
        ("1 hour", "written-out", "1h30m"),
        ("1h 30m", "spaces", "1h30m"),
        ("PT1H", "ISO 8601", "1h30m"),
        ("1M", "unknown unit M", "mo for months"),
        ("hourly", "not a Flux duration", "units y, q, mo"),
        ("1hour", "not a Flux duration", "units y, q, mo"),
        ("1mo2d", "mixes months", "months only"),
        ("\u0661h", "not a Flux duration", "whole numbers"),
        ("293000d", "'293000d' is too long", "292 years"),
    ],
)
def test_bad_text_is_refused_with_the_fix(text: str, what: str, fix: str) -> None:
    with pytest.raises(InvalidDuration) as caught:
        Duration.parse(text)
    assert what in caught.value.what
    assert fix in (caught.value.fix or "")


def test_years_are_read_when_longer_than_nanoseconds_reach() -> None:
    assert Duration.parse("300y1q") == Duration(3603, 0)


def test_zero_is_read_when_allowed() -> None:
    assert Duration.parse("0s", allow_zero=True) == Duration(0, 0)
    assert Duration.of(timedelta(0), allow_zero=True).is_zero


@pytest.mark.parametrize(
    "value", ["1h", timedelta(hours=1), timedelta(minutes=60), Duration(0, HOUR_NS)], ids=repr
)
def test_one_hour_is_the_same_however_it_is_given(value: str | timedelta | Duration) -> None:
    assert Duration.of(value) == Duration(0, HOUR_NS)


def test_timedelta_keeps_its_microseconds_when_long() -> None:
    value = timedelta(days=36_500, microseconds=1)
    assert Duration.of(value).nanoseconds == 36_500 * 24 * HOUR_NS + 1000
    assert Duration.of(value).timedelta == value


@pytest.mark.parametrize("value", [timedelta(0), timedelta(seconds=-1), 3600, None, True, 1.5], ids=repr)
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(InvalidDuration):
        Duration.of(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(("months", "nanoseconds"), [(-1, 0), (0, -1), (1, 1), (0, 2**63), (120_000, 0)])
def test_impossible_parts_are_refused(months: int, nanoseconds: int) -> None:
    with pytest.raises(InvalidDuration):
        Duration(months, nanoseconds)


@pytest.mark.parametrize(
    ("text", "flux"),
    [
        ("90m", "1h30m"),
        ("24h", "1d"),
        ("7d", "1w"),
        ("8d", "8d"),
        ("1q", "3mo"),
        ("18mo", "1y6mo"),
        ("12mo", "1y"),
        ("1500us", "1ms500us"),
        ("0s", "0s"),
    ],
)
def test_flux_text_is_the_usual_one(text: str, flux: str) -> None:
    assert Duration.parse(text, allow_zero=True).to_flux() == flux
    assert str(Duration.parse(text, allow_zero=True)) == flux


def test_timedelta_is_refused_when_the_length_varies_or_is_too_fine() -> None:
    with pytest.raises(InvalidDuration, match="no fixed length"):
        _ = Duration.parse("1mo").timedelta
    with pytest.raises(InvalidDuration, match="whole number of microseconds"):
        _ = Duration.parse("1500ns").timedelta


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(hours=1, minutes=30), "1h30m"),
        (timedelta(days=7), "1w"),
        (timedelta(0), "0s"),
        (pendulum.duration(minutes=90), "1h30m"),
        (pendulum.duration(months=1), "1mo"),
        (pendulum.duration(months=3), "3mo"),
        (pendulum.duration(years=1, months=2), "1y2mo"),
        # a month between two instants is so many days
        (pendulum.datetime(2026, 2, 1) - pendulum.datetime(2026, 1, 1), "31d"),
        ("60m", "60m"),
        ("{{ params.every }}", "{{ params.every }}"),
        (None, None),
    ],
)
def test_duration_that_a_user_gave_is_a_flux_text(value: object, text: str | None) -> None:
    assert flux_text(value) == text  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (pendulum.duration(months=1, days=2), "mixes months"),
        (pendulum.duration(months=-1), "is negative"),
        (pendulum.duration(hours=-1), "is negative"),
        (timedelta(seconds=-1), "is negative"),
        (3600, "is not a duration"),
    ],
)
def test_duration_that_a_user_gave_is_refused_when_it_is_none(value: object, what: str) -> None:
    with pytest.raises(InvalidDuration, match=what):
        flux_text(value)  # type: ignore[call-overload]
