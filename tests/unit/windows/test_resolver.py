from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_influx_rollup.exceptions import WindowError, WindowUndefined, WindowZeroLength
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.resolver import RunFacts, resolve_interval


def day(number: int, hour: int = 0) -> datetime:
    return datetime(2026, 1, number, hour, tzinfo=UTC)


def text(number: int) -> str:
    return f"2026-01-{number:02}T00:00:00Z"


# every source names another day, so the result tells which one was used
ALL = RunFacts(
    explicit_start=text(1),
    explicit_stop=text(2),
    conf={"start": text(3), "stop": text(4), "other": 1},
    data_interval_start=day(5),
    data_interval_stop=day(6),
    logical_date=day(5),
    partition_date=day(7),
    partition_key="2026-01-07",
    window=timedelta(days=1),
    asset_intervals=[(text(9), text(10))],
    run_type="scheduled",
)
NO_PARAMETERS = replace(ALL, explicit_start=None, explicit_stop=None)
NO_CONF = replace(NO_PARAMETERS, conf=None)
NO_DATA_INTERVAL = replace(NO_CONF, data_interval_start=None, data_interval_stop=None, logical_date=None)
NO_PARTITION = replace(NO_DATA_INTERVAL, partition_date=None, partition_key=None)
NOTHING = replace(NO_PARTITION, asset_intervals=[])


@pytest.mark.parametrize(
    ("facts", "first_day"),
    [(ALL, 1), (NO_PARAMETERS, 3), (NO_CONF, 5), (NO_DATA_INTERVAL, 7), (NO_PARTITION, 9)],
)
def test_first_source_in_order_wins(facts: RunFacts, first_day: int) -> None:
    assert resolve_interval(facts) == Interval(day(first_day), day(first_day + 1))


def test_run_without_any_source_is_refused_with_every_fix() -> None:
    with pytest.raises(WindowUndefined) as caught:
        resolve_interval(replace(NOTHING, run_type="asset_triggered"))
    message = str(caught.value)
    for part in (
        "asset_triggered",
        "start=",
        "conf",
        "CronDataIntervalTimetable",
        "window=timedelta",
        "extra",
    ):
        assert part in message
    assert caught.value.permanent


def test_zero_length_is_refused_with_every_fix() -> None:
    facts = RunFacts(data_interval_start=day(5), data_interval_stop=day(5), logical_date=day(5))
    with pytest.raises(WindowZeroLength) as caught:
        resolve_interval(facts)
    message = str(caught.value)
    for part in ("2026-01-05T00:00:00Z", "CronDataIntervalTimetable", "create_cron_data_intervals"):
        assert part in message
    assert "window=timedelta" in message


@pytest.mark.parametrize("window", [timedelta(hours=1), "1h"])
def test_window_ends_at_the_run_when_the_data_interval_has_zero_length(window: Any) -> None:
    facts = RunFacts(data_interval_start=day(5), data_interval_stop=day(5), window=window)
    assert resolve_interval(facts) == Interval(day(4, 23), day(5))


def test_window_of_a_day_is_a_local_day_when_the_clocks_change() -> None:
    midnight = datetime.fromisoformat("2025-03-10T00:00-07:00")
    facts = RunFacts(
        data_interval_start=midnight,
        data_interval_stop=midnight,
        window=timedelta(days=1),
        timezone="America/Los_Angeles",
    )
    assert resolve_interval(facts).duration == timedelta(hours=23)
    assert resolve_interval(replace(facts, timezone="UTC")).duration == timedelta(hours=24)


@pytest.mark.parametrize(
    ("partition", "window", "stop"),
    [
        ("2026-01-01T00:00:00Z", "1mo", "2026-02-01T00:00:00Z"),
        ("2026-01-31T00:00:00Z", "1mo", "2026-02-28T00:00:00Z"),
        ("2026-01-01T00:00:00Z", "1y", "2027-01-01T00:00:00Z"),
    ],
)
def test_partition_of_months_follows_the_calendar(partition: str, window: str, stop: str) -> None:
    facts = RunFacts(partition_date=partition, window=window)
    assert resolve_interval(facts) == Interval(
        datetime.fromisoformat(partition), datetime.fromisoformat(stop)
    )


def test_partition_key_is_used_when_it_is_a_date() -> None:
    facts = RunFacts(partition_key="2026-01-07", window=timedelta(days=1))
    assert resolve_interval(facts) == Interval(day(7), day(8))


@pytest.mark.parametrize("key", ["europe", "2026-01-07T"])
def test_partition_key_that_is_no_time_is_refused_by_name(key: str) -> None:
    with pytest.raises(WindowUndefined) as caught:
        resolve_interval(RunFacts(partition_key=key, window=timedelta(days=1)))
    assert key in str(caught.value)


def test_partition_without_a_window_is_refused() -> None:
    with pytest.raises(WindowUndefined, match=r"nothing says how long.*window=timedelta"):
        resolve_interval(RunFacts(partition_date=day(7), partition_key="2026-01-07"))


def test_several_asset_events_span_one_interval() -> None:
    facts = RunFacts(asset_intervals=[(text(9), text(10)), (day(7), day(8))])
    assert resolve_interval(facts) == Interval(day(7), day(10))


@pytest.mark.parametrize("stop", [20, 21])
def test_events_win_over_the_data_interval_when_datasets_started_the_run(stop: int) -> None:
    facts = replace(NO_PARTITION, data_interval_start=day(20), data_interval_stop=day(stop))
    started = replace(facts, run_type="dataset_triggered")
    assert resolve_interval(started) == Interval(day(9), day(10))
    assert resolve_interval(replace(started, asset_intervals=[])) == resolve_interval(facts)
    assert resolve_interval(facts) == Interval(day(stop - 1), day(stop))


@pytest.mark.parametrize(("facts", "first_day"), [(ALL, 1), (NO_PARAMETERS, 3)])
def test_what_a_person_names_wins_over_the_events_of_datasets(facts: RunFacts, first_day: int) -> None:
    started = replace(facts, run_type="dataset_triggered")
    assert resolve_interval(started) == Interval(day(first_day), day(first_day + 1))


@pytest.mark.parametrize(
    ("facts", "absent"),
    [
        (RunFacts(explicit_start=text(1)), "no stop"),
        (RunFacts(explicit_stop=text(1)), "no start"),
        (RunFacts(conf={"start": text(1)}), "no stop"),
        (RunFacts(data_interval_start=day(1)), "no stop"),
    ],
)
def test_only_one_of_start_and_stop_is_refused(facts: RunFacts, absent: str) -> None:
    with pytest.raises(WindowUndefined, match=absent):
        resolve_interval(facts)


def test_empty_texts_of_templates_count_as_not_given() -> None:
    assert resolve_interval(replace(ALL, explicit_start="", explicit_stop="")) == Interval(day(3), day(4))


@pytest.mark.parametrize(
    "start",
    [
        "2026-01-01",
        "2026-01-01T00:00:00Z",
        "2026-01-01T02:00:00+02:00",
        " 2026-01-01 00:00:00+00:00 ",
        day(1),
        date(2026, 1, 1),
        datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_start_is_read_however_it_is_written(start: Any) -> None:
    assert resolve_interval(RunFacts(explicit_start=start, explicit_stop=text(2))).start == day(1)


def test_date_is_the_start_of_the_local_day() -> None:
    facts = RunFacts(conf={"start": "2018-11-04", "stop": "2018-11-05"}, timezone="America/Sao_Paulo")
    interval = resolve_interval(facts)
    assert interval == Interval(
        datetime.fromisoformat("2018-11-04T01:00-02:00"), datetime.fromisoformat("2018-11-05T00:00-02:00")
    )


@pytest.mark.parametrize(
    ("start", "what"),
    [
        ("2026-01-01T00:00:00", r"no time zone.*2026-01-01T00:00:00Z"),
        (datetime(2026, 1, 1), "no time zone"),  # noqa: DTZ001 - the point of the test
        ("None", "not an ISO 8601 time"),
        ("yesterday", "not an ISO 8601 time"),
        (1767225600, "is a int, not a time"),
    ],
)
def test_unreadable_time_is_refused_by_name(start: Any, what: str) -> None:
    with pytest.raises(WindowUndefined, match=what) as caught:
        resolve_interval(RunFacts(conf={"start": start, "stop": text(2)}))
    assert "start in dag_run.conf" in caught.value.what


def test_stop_before_start_is_refused() -> None:
    with pytest.raises(WindowError, match="is before start"):
        resolve_interval(RunFacts(explicit_start=text(2), explicit_stop=text(1)))


def test_manual_run_for_a_past_date_is_refused_when_its_interval_is_of_the_present() -> None:
    facts = replace(NO_CONF, run_type="manual", logical_date=day(2))
    with pytest.raises(WindowUndefined, match="time it was triggered at"):
        resolve_interval(facts)
    for date_of_the_run in (day(5), day(5, 12), day(6, 3)):
        assert resolve_interval(replace(facts, logical_date=date_of_the_run)) == Interval(day(5), day(6))


def test_manual_run_for_a_past_date_uses_that_date_when_the_interval_has_zero_length() -> None:
    facts = RunFacts(
        data_interval_start=day(20),
        data_interval_stop=day(20),
        logical_date=day(5),
        window=timedelta(days=1),
        run_type="manual",
    )
    assert resolve_interval(facts) == Interval(day(4), day(5))
