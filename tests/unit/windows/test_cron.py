"""Times of crons, against a plain minute-by-minute oracle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from airflow_provider_influx_rollup.windows.cron import Cron
from airflow_provider_influx_rollup.windows.duration import Duration

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
        "*/30 * * * *",
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
        ("0 0 * * mon-fri", "0 0 * * 1-5"),
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


@pytest.mark.parametrize(
    ("text", "in_influxdb"),
    [
        # what InfluxDB's own reader of crons gives, the next after 2025-01-01T00:00:00Z
        ("1 12 * 2-10 sun", "2025-02-05T12:01:00Z, a Wednesday"),
        ("57 10 31 */2 *", "2025-05-31T10:57:00Z after that of January: March is left out"),
        ("*/30 4 * * *", "04:00, 04:30 and 04:59"),
        ("9,*/30 * * * *", "00:09, 00:30 and 00:59"),
        ("57 3 29 */7 *", "each January only"),
        ("0 0-0 1 1 *", "each hour of the day"),
        ("0-0/35 1 * * *", "01:00 and 01:35"),
        ("49 19 1-1 mar *", "each day of March"),
        ("5-5 * * * *", "at minute 5, and with croniter each minute"),
        ("22 9 * * 2/3", "Wednesdays and Saturdays"),
        ("0 0 * * 5-7", "Fridays and Saturdays"),
        ("0 0 * * 7", "refused"),
        ("0 0 ? * 1", "refused"),
    ],
)
def test_cron_is_refused_when_influxdb_takes_it_otherwise(text: str, in_influxdb: str) -> None:
    assert Cron.parse(text) is None, in_influxdb


def test_a_day_that_comes_once_a_year_is_found() -> None:
    yearly = Cron.parse("@yearly")
    assert yearly is not None
    assert list(islice(yearly.backwards(NOW), 1)) == [datetime(2025, 1, 1, tzinfo=UTC)]
    before = datetime(2024, 12, 31, 23, 59, tzinfo=UTC)
    assert next(yearly.backwards(before)) == datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("* * * * *", "1m"),
        ("*/15 * * * *", "15m"),
        ("0,20,40 * * * *", "20m"),
        ("0 * * * *", "1h"),
        ("0 */6 * * *", "6h"),
        ("@daily", "1d"),
        ("0 0 * * mon", "1w"),
        ("@monthly", "1mo"),
        ("@yearly", "1y"),
        ("5 * * * *", None),
        ("*/7 * * * *", None),
        ("5 0 * * *", None),
        ("0 6 * * *", None),
        ("0 */5 * * *", None),
        ("0,10 * * * *", None),
        ("*/15 6 * * *", None),
        ("0 0 2 * *", None),
        ("0 0 1 6 *", None),
        ("0 0 1 */3 *", None),
        ("0 0 * 6 *", None),
        ("0 0 * * 1-5", None),
        ("0 * * * 1", None),
    ],
)
def test_windows_are_whole_when_each_time_ends_one(text: str, length: str | None) -> None:
    cron = Cron.parse(text)
    assert cron is not None
    assert cron.whole_window == (None if length is None else Duration.parse(length))
