"""A delay names each window exactly once, whatever months and clocks make of it, and however time is cut into runs."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.lifecycle.compact.spec import CompactSpec
from airflow_provider_influx_rollup.windows.delayed import Like, delayed
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.examples import examples
from tests.scenes.strategies import grids, zones

DELAYS = ["1mo", "2mo", "1q", "1y", "1w", "30d", "31d", "1d", "13mo", "36h", "5h"]
ZONES = ["UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns"]
START, YEARS = date(2023, 1, 1), 4


def purged(run: Interval, delay: str, *, timezone: str = "UTC", every: str | None = None) -> list[Interval]:
    """What PurgeWindowOperator purges in a run."""
    grid = Grid.of(every, timezone=timezone) if every else Like(run, timezone)
    return delayed(grid, run, Duration.of(delay), timezone)


def runs(frequency: str, zone: str, first: date = START, years: int = YEARS) -> list[Interval]:
    """The data intervals of a schedule, by the calendar alone: midnights of days, Mondays, or months."""
    days = [first + timedelta(days=n) for n in range(366 * years)]
    if frequency == "weekly":
        days = [day for day in days if day.weekday() == 0]
    if frequency == "monthly":
        days = [day for day in days if day.day == 1]
    edges = [midnight(day, zone) for day in days]
    return [Interval(start, stop) for start, stop in pairwise(edges) if start < stop]


def midnight(day: date, zone: str) -> datetime:
    """The second midnight, where a day has two; the moment of the jump, where it has none."""
    known = ZoneInfo(zone)
    local = datetime.combine(day, time())
    found = local.replace(tzinfo=known, fold=1).astimezone(UTC)
    if found.astimezone(known).replace(tzinfo=None, fold=0) == local:
        return found
    return local.replace(tzinfo=known, fold=0).astimezone(UTC)


def require_once(named: list[Interval], schedule: list[Interval]) -> None:
    """All windows between the first and the last that were named are there once, and are those of the schedule."""
    assert named
    assert [window for window, times in Counter(named).items() if times != 1] == []
    first, stop = min(named).start, max(named).stop
    known = [window for window in schedule if first <= window.start < stop]
    assert sorted(window for window in named if window.start >= schedule[0].start) == known


@pytest.mark.parametrize(
    ("zone", "delay"),
    [("UTC", "1mo"), ("America/Havana", "1mo"), ("Europe/Berlin", "1q"), ("Europe/Berlin", "30d")],
)
def test_each_day_of_four_years_is_purged_once_when_there_is_no_grid(zone: str, delay: str) -> None:
    schedule = runs("daily", zone)
    require_once([window for run in schedule for window in purged(run, delay, timezone=zone)], schedule)


@settings(max_examples=examples(30), deadline=None)
@given(
    st.sampled_from(DELAYS),
    st.one_of(st.sampled_from(ZONES), zones()),
    st.sampled_from(["daily", "weekly", "monthly"]),
    st.dates(date(1975, 1, 1), date(2030, 1, 1)),
)
def test_each_data_interval_is_purged_once_when_there_is_no_grid(
    delay: str, zone: str, frequency: str, first: date
) -> None:
    schedule = runs(frequency, zone, first, years={"daily": 1, "weekly": 2, "monthly": 4}[frequency])
    require_once([window for run in schedule for window in purged(run, delay, timezone=zone)], schedule)


@pytest.mark.parametrize(
    ("zone", "delay", "first"),
    [
        ("Europe/Berlin", "1mo", datetime(2025, 3, 27, 20, tzinfo=UTC)),
        ("Europe/Berlin", "30d", datetime(2025, 11, 24, tzinfo=UTC)),
        ("America/Havana", "1mo", datetime(2024, 12, 2, tzinfo=UTC)),
    ],
)
def test_each_hour_is_purged_once_when_runs_are_hourly(zone: str, delay: str, first: datetime) -> None:
    hour = timedelta(hours=1)
    hours = [Interval(first + n * hour, first + (n + 1) * hour) for n in range(-24 * 35, 96)]
    for every in (None, "1h"):
        named = [window for run in hours[-96:] for window in purged(run, delay, timezone=zone, every=every)]
        require_once(named, hours)


@settings(max_examples=examples(10), deadline=None)
@given(
    st.sampled_from(["1mo", "1q", "30d", "1w"]),
    st.sampled_from(["1h", "1d", "1w", "1mo"]),
    st.one_of(st.sampled_from(ZONES), zones()),
    st.dates(date(1975, 1, 1), date(2030, 1, 1)),
)
def test_each_window_of_a_grid_is_purged_once_when_runs_are_daily(
    delay: str, every: str, zone: str, first: date
) -> None:
    schedule = runs("daily", zone, first, years=1)[: 60 if every == "1h" else 366]
    named = [window for run in schedule for window in purged(run, delay, timezone=zone, every=every)]
    assert len(set(named)) == len(named)
    # where months clamp, hours of several days come together: the first and the last run have only some of them
    edge = timedelta(days=5) if every == "1h" else timedelta()
    first_start, last_stop = min(named).start + edge, max(named).stop - edge
    tiles = Grid.of(every, timezone=zone).tile(Interval(min(named).start, max(named).stop))
    inside = [window for window in tiles if first_start <= window.start and window.stop <= last_stop]
    assert len(inside) > 3
    assert [window for window in inside if window not in set(named)] == []


def test_hours_are_purged_once_when_the_first_run_is_that_of_a_clamped_day() -> None:
    schedule = runs("daily", "UTC", date(2000, 4, 27), years=1)[:10]
    named = [window for run in schedule for window in purged(run, "1mo", every="1h")]
    assert len(set(named)) == len(named)
    # ends of 29, 30 and 31 March + a month, and what is due from 27 April on
    hours = Grid.of("1h").tile(Interval(datetime(2000, 3, 27, tzinfo=UTC), datetime(2000, 4, 7, tzinfo=UTC)))
    assert [window for window in hours if window not in set(named)] == []


def test_days_are_as_long_ago_as_was_asked_for_when_months_are_short() -> None:
    named = {run.stop.date(): purged(run, "1mo") for run in runs("daily", "UTC", date(2025, 1, 1), years=1)}
    stops = {day: [window.stop.date() for window in windows] for day, windows in named.items()}
    assert stops[date(2025, 2, 28)] == [date(2025, 1, day) for day in (28, 29, 30, 31)]
    assert stops[date(2025, 3, 1)] == [date(2025, 2, 1)]
    assert [stops[date(2025, 3, day)] for day in (28, 29, 30, 31)] == [[date(2025, 2, 28)], [], [], []]


@settings(max_examples=examples(20), deadline=None)
@given(grids(every=("1h", "6h", "1d", "1w", "1mo", "1q")), st.sampled_from(DELAYS), zones(), st.data())
def test_each_window_is_named_once_when_time_is_cut_anyhow(
    grid: Grid, delay: str, zone: str, data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, 365 * 50)) * timedelta(days=1) + datetime(1980, 1, 1, tzinfo=UTC)
    hours = data.draw(st.lists(st.integers(1, 400), min_size=1, max_size=8))
    edges = [first]
    for count in hours:
        edges.append(edges[-1] + count * timedelta(hours=1))
    length = Duration.parse(delay)
    whole = delayed(grid, Interval(edges[0], edges[-1]), length, zone)
    parts = [delayed(grid, Interval(*pair), length, zone) for pair in pairwise(edges)]
    assert sorted(window for part in parts for window in part) == whole
    assert len(set(whole)) == len(whole)
    if whole:
        # no window between the first and the last is left out, but around a change of the clocks by hours
        tiles = grid.tile(Interval(whole[0].start, whole[-1].stop))
        lacking = [window for window in tiles if window not in set(whole)]
        assert all(window.duration <= timedelta(hours=6) for window in lacking)


@settings(max_examples=examples(30), deadline=None)
@given(zones(), st.sampled_from(["daily", "weekly", "monthly"]), st.integers(1980, 2030))
def test_windows_like_one_are_those_of_its_schedule(zone: str, frequency: str, year: int) -> None:
    schedule = runs(frequency, zone, date(year, 1, 1), years=1)
    for number in (0, len(schedule) // 2, len(schedule) - 1):
        like = Like(schedule[number], zone)
        assert [like.window_at(window.start) for window in schedule] == schedule
        assert [like.window_at(window.stop - timedelta(microseconds=1)) for window in schedule] == schedule


@pytest.mark.parametrize("delay", ["1mo", "1q", "1y", "30d", "0s"])
@pytest.mark.parametrize("into", ["1d", "1w", "1mo"])
@pytest.mark.parametrize("zone", ["UTC", "America/Havana"])
def test_each_large_window_is_compacted_once_when_there_is_a_delay(zone: str, into: str, delay: str) -> None:
    spec = CompactSpec(
        org="o", bucket="raw", measurement="m", shown_path="/archive", into=into, timezone=zone, delay=delay
    )
    named = [window for run in runs("daily", zone, years=3) for window in spec.windows(run)]
    require_once(named, Grid.of(into, timezone=zone).tile(Interval(min(named).start, max(named).stop)))


@pytest.mark.parametrize("weekdays", [{0, 1, 2, 3, 4}, {0, 2, 4}, {0, 3}])
@pytest.mark.parametrize("delay", ["1w", "2w", "5w"])
def test_intervals_of_some_days_of_a_week_are_purged_once_when_the_delay_is_whole_weeks(
    weekdays: set[int], delay: str
) -> None:
    days = [START + timedelta(days=n) for n in range(400)]
    edges = [midnight(day, "America/Havana") for day in days if day.weekday() in weekdays]
    schedule = [Interval(start, stop) for start, stop in pairwise(edges)]
    require_once(
        [window for run in schedule for window in purged(run, delay, timezone="America/Havana")], schedule
    )
