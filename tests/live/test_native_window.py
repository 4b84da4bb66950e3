"""The ``v`` that a task of InfluxDB gets: the window that Airflow would run, by a plain-Python oracle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.native_window import needs_window, with_window
from airflow_provider_influx_rollup.windows.duration import Duration

pytestmark = pytest.mark.live

SHOW = (
    "array.from(rows: [{start: v.timeRangeStart, stop: v.timeRangeStop, period: string(v: v.windowPeriod)}])"
)
SCRIPT = f'import "array"\n\n{SHOW}\n'
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIXED = ["1s", "45s", "7m", "15m", "1h", "90m", "6h", "1d", "3d", "1w", "2w"]
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
]
INSTANTS = st.integers(-157_766_400_000_000, 2_840_140_800_000_000).map(
    lambda us: EPOCH + timedelta(microseconds=us)
)
# Flux knows no change of the clocks after 2037
LOCAL = st.integers(2_678_400, 2_114_380_800).map(lambda seconds: EPOCH + timedelta(seconds=seconds))
# around the changes of the clocks, to the second
EDGES = [
    datetime(2025, 3, 30, 1, tzinfo=UTC), datetime(2025, 10, 26, 1, tzinfo=UTC), datetime(2025, 3, 29, 23, tzinfo=UTC),
    datetime(2025, 3, 30, 22, tzinfo=UTC), datetime(2025, 10, 25, 22, tzinfo=UTC), datetime(2025, 10, 26, 23, tzinfo=UTC),
    datetime(2025, 3, 9, 5, tzinfo=UTC), datetime(2025, 11, 3, 5, tzinfo=UTC), datetime(2024, 2, 29, 23, tzinfo=UTC),
]  # fmt: skip
NEAR = st.tuples(st.sampled_from(EDGES), st.integers(-3, 3)).map(
    lambda pair: pair[0] + timedelta(seconds=pair[1])
)


def bound(client: InfluxClient, every: str, zone: str, now: datetime) -> tuple[datetime, datetime]:
    """What the server says that v is."""
    text = with_window(SCRIPT, client.parse_script(SCRIPT), Duration.parse(every), zone)
    (row,) = client.query(text, now=now)
    assert row["period"] == Duration.parse(every).to_flux()
    return row["start"], row["stop"]


def fixed_window(every: str, now: datetime) -> tuple[datetime, datetime]:
    length = timedelta(seconds=int(every[:-1]) * UNITS[every[-1]])
    anchor = MONDAY if every[-1] == "w" else EPOCH
    stop = anchor + (now - anchor) // length * length
    return stop - length, stop


def local(day: datetime, zone: ZoneInfo) -> datetime:
    return day.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=zone).astimezone(UTC)


def local_window(months: int, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    """Local days (0 months), or months counted from January 1970."""
    day = now.astimezone(zone).replace(tzinfo=None)
    if not months:
        return local(day - timedelta(days=1), zone), local(day, zone)
    number = ((day.year - 1970) * 12 + day.month - 1) // months * months

    def first(count: int) -> datetime:
        return local(datetime(1970 + count // 12, count % 12 + 1, 1, tzinfo=zone), zone)

    return first(number - months), first(number)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(every=st.sampled_from(FIXED), now=INSTANTS | NEAR, zone=st.sampled_from(ZONES))
def test_fixed_windows_end_with_the_last_bound_before_now(
    client: InfluxClient, every: str, now: datetime, zone: str
) -> None:
    # whole days are local elsewhere
    zone = "UTC" if every[-1] in "dw" else zone
    assert bound(client, every, zone, now) == fixed_window(every, now)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(every=st.sampled_from(["1d", "1mo", "3mo", "1y"]), now=LOCAL | NEAR, zone=st.sampled_from(ZONES[1:]))
def test_days_months_and_years_are_local_over_changes_of_the_clocks(
    client: InfluxClient, every: str, now: datetime, zone: str
) -> None:
    months = {"1d": 0, "1mo": 1, "3mo": 3, "1y": 12}[every]
    assert bound(client, every, zone, now) == local_window(months, ZoneInfo(zone), now)


def test_a_window_has_23_or_25_hours_when_the_clocks_change(client: InfluxClient) -> None:
    for stop, hours in (
        (datetime(2025, 3, 30, 22, tzinfo=UTC), 23),
        (datetime(2025, 10, 26, 23, tzinfo=UTC), 25),
    ):
        window = bound(client, "1d", "Europe/Berlin", stop)
        assert window == (stop - timedelta(hours=hours), stop)


@pytest.mark.parametrize(
    "script",
    [
        SCRIPT,
        'import "array"  // täglich\n\n' + SHOW,
        'package main\n\nimport "array"\n\n' + SHOW,
        '// import "date" is text\npackage main import "array" import dd "date" ' + SHOW,
        f'// import "x"\nimport a "array"\nat = 1\nstop = 2\nstart = 3\nzone = 4\n{SHOW.replace("array.", "a.")}',
        'import "array"\r\nimport "date"\r\n\r\n' + SHOW,
    ],
)
@pytest.mark.parametrize(("every", "zone"), [("1h", "UTC"), ("1d", "Europe/Berlin")])
def test_v_stands_after_the_imports_however_they_are_written(
    client: InfluxClient, script: str, every: str, zone: str
) -> None:
    package = client.parse_script(script)
    assert needs_window(package)
    text = with_window(script, package, Duration.parse(every), zone)
    (row,) = client.query(text, now=datetime(2025, 6, 1, 12, 30, tzinfo=UTC))
    assert row["start"] < row["stop"]
    # nothing of the script has changed
    at = text.index("import _rollupDate" if zone != "UTC" else "// v is the window")
    assert script.startswith(text[:at].rstrip("\n"))
    assert not needs_window(client.parse_script(text))
    with pytest.raises(ConfigurationError, match="cannot compute"):
        with_window(script, package, Duration.parse("1w"), "Europe/Berlin")


def test_a_script_without_imports_begins_with_v(client: InfluxClient) -> None:
    script = '// hourly\nfrom(bucket: "x") |> range(start: v.timeRangeStart)'
    text = with_window(script, client.parse_script(script), Duration.parse("1h"))
    assert text.startswith("// v is")
    assert text.endswith(script)


@pytest.mark.parametrize(
    "script",
    [
        "option v = {timeRangeStart: -1h}\nx = v.timeRangeStart",
        "v = {timeRangeStart: -1h}\nx = v.timeRangeStart",
        "x = (v) => v.other",
        "x = r.timeRangeStart",
    ],
)
def test_no_window_is_put_in_when_the_script_needs_none(client: InfluxClient, script: str) -> None:
    assert not needs_window(client.parse_script(script))
