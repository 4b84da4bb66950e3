from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pendulum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.exceptions import ConfigurationError, InvalidDuration
from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.windows.duration import Duration, flux_text
from tests.scenes.examples import examples
from tests.scenes.strategies import durations

SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}


@settings(max_examples=examples(300), deadline=None)
@given(durations())
def test_duration_comes_back_when_printed_and_read(duration: Duration) -> None:
    assert Duration.parse(duration.to_flux(), allow_zero=True) == duration


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 99), st.sampled_from(sorted(SECONDS))), min_size=1, max_size=6))
def test_parts_add_up_in_any_order(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    seconds = sum(number * SECONDS[unit] for number, unit in parts)
    assert Duration.parse(text, allow_zero=True).nanoseconds == seconds * 10**9


@settings(max_examples=examples(200), deadline=None)
@given(st.timedeltas(timedelta(microseconds=1), timedelta(days=100_000)))
def test_timedelta_comes_back(value: timedelta) -> None:
    assert Duration.of(value).timedelta == value


@settings(max_examples=examples(200), deadline=None)
@given(durations())
def test_text_stays_as_it_was_written(duration: Duration) -> None:
    text = duration.to_flux()
    assert flux_text(text) is text
    assert flux_text(duration) == text  # type: ignore[call-overload]


@settings(max_examples=examples(200), deadline=None)
@given(st.timedeltas(timedelta(microseconds=1), timedelta(days=100_000)))
def test_exact_duration_of_pendulum_is_its_timedelta(value: timedelta) -> None:
    given_duration = pendulum.duration(
        days=value.days, seconds=value.seconds, microseconds=value.microseconds
    )
    assert Duration.of(given_duration) == Duration.of(value)
    assert flux_text(given_duration) == flux_text(value)
    assert literals.duration(given_duration) == literals.duration(value)
    # pendulum negates by floats, which lose microseconds of long durations
    whole = timedelta(days=value.days, seconds=value.seconds)
    negative = -pendulum.duration(days=value.days, seconds=value.seconds)
    assert literals.duration(negative) == literals.duration(-whole)


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(0, 200), st.integers(0, 200), st.timedeltas(timedelta(0), timedelta(days=999)))
def test_months_of_pendulum_are_calendar_months(years: int, months: int, rest: timedelta) -> None:
    given_duration = pendulum.duration(
        years=years, months=months, days=rest.days, seconds=rest.seconds, microseconds=rest.microseconds
    )
    count = 12 * years + months
    if count and rest:
        with pytest.raises(InvalidDuration, match="mixes months"):
            Duration.of(given_duration)
        with pytest.raises(ConfigurationError, match="mixes months"):
            literals.duration(given_duration)
        return
    found = Duration.of(given_duration, allow_zero=True)
    assert found == (Duration(count, 0) if count else Duration.of(rest, allow_zero=True))
    assert literals.duration(given_duration) == (f"{count}mo" if count else literals.duration(rest))


@settings(max_examples=examples(200), deadline=None)
@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - hypothesis takes naive bounds
    st.timedeltas(timedelta(microseconds=1), timedelta(days=9_999)),
)
def test_time_between_two_instants_of_pendulum_is_elapsed_time(naive: datetime, length: timedelta) -> None:
    start = pendulum.instance(naive, tz="Europe/Berlin").in_timezone("UTC")
    stop = pendulum.instance((start + length).astimezone(UTC)).in_timezone("America/New_York")
    assert Duration.of(stop - start).timedelta == length
    with pytest.raises(InvalidDuration, match="negative"):
        Duration.of(start - stop)
