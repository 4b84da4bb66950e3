from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.exceptions import ConfigurationError, WindowUndefined
from airflow_provider_influx_rollup.windows.partition_key import check_key_format, read_partition_key
from airflow_provider_influx_rollup.windows.resolver import RunFacts, resolve_interval

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("key", "start"),
    [
        ("2026-03-10", "2026-03-10T00:00:00+01:00"),
        ("2026-03-10T09", "2026-03-10T09:00:00+01:00"),
        ("2026-03-10T09:30", "2026-03-10T09:30:00+01:00"),
        ("2026-03-10T09:00:00", "2026-03-10T09:00:00+01:00"),
        ("2026-07-10T09:00:00", "2026-07-10T09:00:00+02:00"),
        ("2026-03-10T09:00:00Z", "2026-03-10T09:00:00+00:00"),
        ("2026-03-10T09:00:00+0500", "2026-03-10T09:00:00+05:00"),
        ("2026-03-09 (W11)", "2026-03-09T00:00:00+01:00"),
        ("2026-W11", "2026-03-09T00:00:00+01:00"),
        ("2026-04", "2026-04-01T00:00:00+02:00"),
        ("2026-Q3", "2026-07-01T00:00:00+02:00"),
        ("2026-03-10|1999", "2026-03-10T00:00:00+01:00"),
        ("us|2026-03-10T09:00:00", "2026-03-10T09:00:00+01:00"),
        ("2026-03-10|us|plant 7", "2026-03-10T00:00:00+01:00"),
    ],
)
def test_key_is_read_in_the_zone_of_the_stage(key: str, start: str) -> None:
    assert read_partition_key(key, BERLIN) == datetime.fromisoformat(start)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "eu",
        "1999",
        "0042",
        "20260310",
        "2026-13",
        "2026-Q5",
        "2026-03-10 (W1)",
        "09:00",
        "10.03.2026",
        "20260310T",
    ],
)
def test_key_that_is_no_time_is_none(key: str) -> None:
    assert read_partition_key(key, "UTC") is None


def test_key_with_two_times_is_refused_until_a_format_says_which() -> None:
    with pytest.raises(
        WindowUndefined, match=r"2 parts of the partition 2026-03-10\|2026-04.*partition_key_format"
    ):
        read_partition_key("2026-03-10|2026-04", "UTC")
    assert read_partition_key("2026-03-10|2026-04", "UTC", "%Y-%m-%d") == datetime(2026, 3, 10, tzinfo=UTC)


def test_own_format_is_the_only_one_that_counts() -> None:
    assert read_partition_key("10.03.2026 09h", BERLIN, "%d.%m.%Y %Hh") == datetime(
        2026, 3, 10, 8, tzinfo=UTC
    )
    assert read_partition_key("2026-03-10", BERLIN, "%d.%m.%Y") is None
    assert read_partition_key("2026", "UTC", "%Y") == datetime(2026, 1, 1, tzinfo=UTC)


def test_time_that_clocks_show_twice_is_refused_for_hours_and_that_of_cron_for_days() -> None:
    with pytest.raises(WindowUndefined, match="two windows: the clocks of Europe/Berlin"):
        read_partition_key("2026-10-25T02:30:00", BERLIN)
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert read_partition_key("2026-10-25T02:30:00", BERLIN, is_of_days=True) == second
    assert read_partition_key("2026-10-25T02:30:00+0100", BERLIN) == second


@given(
    st.integers(946_684_800, 2_840_140_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.sampled_from(["UTC", BERLIN, "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_every_instant_is_found_again_in_its_key_with_an_offset_and_in_that_of_its_clock(
    instant: datetime, zone: str
) -> None:
    local = instant.astimezone(ZoneInfo(zone))
    assert read_partition_key(local.strftime("%Y-%m-%dT%H:%M:%S%z"), zone) == instant
    is_shown_once = local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset()
    if is_shown_once:
        assert read_partition_key(local.strftime("%Y-%m-%dT%H:%M:%S"), zone) == instant


@pytest.mark.parametrize("key_format", ["", "%H:%M", "day", "%Q"])
def test_format_without_a_date_is_refused(key_format: str) -> None:
    with pytest.raises(ConfigurationError, match="does not give a date"):
        check_key_format(key_format)


def test_run_is_about_the_window_of_its_key() -> None:
    facts = RunFacts(partition_key="eu|2026-03-29T00:00:00", window="1d", timezone=BERLIN)
    assert resolve_interval(facts).duration == timedelta(hours=23)
    with pytest.raises(WindowUndefined, match=r"the partition eu, which is no time.*partition_key_format"):
        resolve_interval(replace(facts, partition_key="eu"))
    with pytest.raises(WindowUndefined, match="of which no part has the format %d"):
        resolve_interval(replace(facts, partition_key_format="%d.%m.%Y"))
    with pytest.raises(WindowUndefined, match="nothing says how long that is"):
        resolve_interval(replace(facts, window=None))
