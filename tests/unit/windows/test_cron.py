"""Times of crons, against a plain minute-by-minute oracle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from airflow_provider_influx_rollup.windows.cron import Cron

NOW = datetime(2025, 3, 31, 14, 37, 12, tzinfo=UTC)


def matches(text: str, at: datetime) -> bool:
    """Five fields of numbers, stars, steps, ranges and lists, as the manual says."""
    values = (at.minute, at.hour, at.day, at.month, at.isoweekday() % 7)

    def one(part: str, value: int) -> bool:
        span, _, step = part.partition("/")
        if span == "*":
            return value % int(step or 1) == 0
        low, _, high = span.partition("-")
        return int(low) <= value <= int(high or low) and (value - int(low)) % int(step or 1) == 0

    return all(
        any(one(part, value) for part in field.split(","))
        for field, value in zip(text.split(), values, strict=True)
    )


@pytest.mark.parametrize(
    "text",
    [
        "* * * * *",
        "*/15 * * * *",
        "30 2 * * *",
        "0 */6 * * *",
        "5,35 8-18/2 * * 1-5",
        "0 0 1 * *",
        "0 0 * 2 0",
    ],
)
def test_times_are_those_of_an_oracle_that_tries_each_minute(text: str) -> None:
    cron = Cron.parse(text)
    assert cron is not None
    last = NOW.replace(second=0)
    minutes = (last - timedelta(minutes=number) for number in range(60 * 24 * 200))
    assert list(islice(cron.backwards(NOW), 4)) == list(islice((m for m in minutes if matches(text, m)), 4))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("0 0 3 * * *", "0 3 * * *"),
        ("0 0 * jan,Mar *", "0 0 * 1,3 *"),
        ("0 0 ? * mon-fri", "0 0 * * 1-5"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("10/20 * * * *", "10-59/20 * * * *"),
    ],
)
def test_names_and_spellings_are_read(text: str, same: str) -> None:
    one, other = Cron.parse(text), Cron.parse(same)
    assert one is not None
    assert other is not None
    assert list(islice(one.backwards(NOW), 10)) == list(islice(other.backwards(NOW), 10))


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "60 * * * *", "* * 1 * 1", "30 0 0 * * *", "*/0 * * * *", "5-1 * * * *", "x * * * *", "@every 1h", "* * 0 * *"],
)  # fmt: skip
def test_what_is_no_plain_cron_is_not_guessed(text: str) -> None:
    assert Cron.parse(text) is None


def test_a_day_that_comes_every_fourth_year_is_found_and_one_that_never_comes_ends() -> None:
    leap, never = Cron.parse("0 0 29 2 *"), Cron.parse("0 0 31 2 *")
    assert leap is not None
    assert never is not None
    assert next(leap.backwards(NOW)) == datetime(2024, 2, 29, tzinfo=UTC)
    assert list(never.backwards(NOW)) == []
