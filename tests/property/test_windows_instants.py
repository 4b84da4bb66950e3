"""Times that people write, with pendulum as the second reader."""

from __future__ import annotations

from datetime import UTC, datetime

import pendulum
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.windows.instants import read_instant
from tests.scenes.examples import examples

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Africa/Monrovia",
    "Asia/Kathmandu",
]
TIMES = st.datetimes(datetime(1678, 1, 1), datetime(2262, 1, 1))  # noqa: DTZ001 - hypothesis takes naive bounds


@settings(max_examples=examples(200), deadline=None)
@given(TIMES, st.sampled_from(ZONES), st.integers(0, 1))
def test_time_of_pendulum_is_the_same_instant(naive: datetime, zone: str, fold: int) -> None:
    given_time = pendulum.instance(naive.replace(fold=fold), tz=zone)
    found = read_instant(given_time, "start")
    assert found == given_time
    assert (type(found), found.tzinfo) == (datetime, UTC)


@settings(max_examples=examples(200), deadline=None)
@given(TIMES)
def test_text_that_pendulum_writes_is_the_same_instant(naive: datetime) -> None:
    written = pendulum.instance(naive, tz="America/New_York").in_timezone("UTC").to_iso8601_string()
    assert read_instant(written, "start") == pendulum.parse(written)
