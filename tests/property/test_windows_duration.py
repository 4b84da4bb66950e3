from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.windows.duration import Duration
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
