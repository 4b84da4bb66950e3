"""Windows of a calendar begin and end where the timetables of the Airflow that runs have their runs.

Airflow's own classes are the oracle: each test chains their data intervals, run after run.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable
from airflow.timetables.trigger import CronTriggerTimetable
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.airflow_compat import timezone
from airflow_provider_influx_rollup.operators.archive import ArchiveWindowOperator
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.resolver import RunFacts, resolve_interval
from tests.scenes.strategies import ALL_ZONES, ODD_ZONES

pytestmark = pytest.mark.airflow

DAY, MIDNIGHT = timedelta(days=1), time()
# cron, and the grid of the same windows
SCHEDULES = [
    ("0 0 * * *", "1d", "0s"),
    ("30 0 * * *", "1d", "30m"),
    ("30 2 * * *", "1d", "2h30m"),
    ("0 0 * * 1", "1w", "0s"),
    ("0 0 1 * *", "1mo", "0s"),
    ("0 0 1 */3 *", "1q", "0s"),
    ("0 0 1 1 *", "1y", "0s"),
]
# clocks that showed midnight twice, or never
TURNS = [
    ("America/Havana", date(2024, 11, 3)),
    ("America/Havana", date(2026, 11, 1)),
    ("America/Havana", date(2025, 3, 9)),
    ("Asia/Amman", date(2021, 10, 29)),
    ("Asia/Gaza", date(2009, 9, 4)),
    ("Asia/Beirut", date(2022, 3, 27)),
    ("America/Scoresbysund", date(2023, 10, 29)),
    ("America/St_Johns", date(2010, 11, 7)),
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Australia/Lord_Howe", date(2025, 4, 6)),
    ("Europe/Berlin", date(2025, 10, 26)),
]


def plain(moment: datetime) -> datetime:
    return datetime.fromtimestamp(moment.timestamp(), UTC)


def data_intervals(
    timetable: CronDataIntervalTimetable, start: datetime, stop: datetime
) -> Iterator[Interval]:
    """The data intervals that the scheduler would make, one after the other."""
    earliest = timezone.parse(start.isoformat())
    restriction = TimeRestriction(earliest=earliest, latest=None, catchup=True)
    last: DataInterval | None = None
    while last is None or plain(last.end) < stop:
        info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        assert info is not None
        last = info.data_interval
        yield Interval(plain(last.start), plain(last.end))


def require_equal(cron: str, every: str, offset: str, zone: str, about: date, reach: timedelta) -> None:
    first = datetime.combine(about, MIDNIGHT, UTC) - reach
    runs = list(data_intervals(CronDataIntervalTimetable(cron, timezone=zone), first, first + 2 * reach))
    grid = Grid.of(every, offset, zone)
    assert grid.tile(Interval(runs[0].start, runs[-1].stop)) == runs
    for left, right in pairwise(runs):
        assert left.stop == right.start
        assert grid.window_at(right.start - timedelta(microseconds=1)) == left


@pytest.mark.parametrize(("zone", "about"), TURNS)
@pytest.mark.parametrize(("cron", "every", "offset"), SCHEDULES)
def test_windows_are_the_data_intervals_when_clocks_change_at_midnight(
    cron: str, every: str, offset: str, zone: str, about: date
) -> None:
    reach = {"1d": 4 * DAY, "1w": 20 * DAY, "1mo": 70 * DAY}.get(every, 800 * DAY)
    require_equal(cron, every, offset, zone, about, reach)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(SCHEDULES[:4]),
    st.one_of(st.sampled_from(ALL_ZONES), st.sampled_from(ODD_ZONES)),
    st.integers(0, 50 * 365),
)
def test_windows_are_the_data_intervals_in_any_zone(
    schedule: tuple[str, str, str], zone: str, day: int
) -> None:
    require_equal(*schedule, zone, date(1985, 1, 1) + day * DAY, 20 * DAY)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(ALL_ZONES), st.integers(1975, 2037))
def test_days_are_the_data_intervals_around_each_change_of_a_year(zone: str, year: int) -> None:
    known = ZoneInfo(zone)
    days = [datetime.combine(date(year, 1, 1), MIDNIGHT) + number * DAY for number in range(366)]
    changes = [
        later
        for earlier, later in pairwise(days)
        if earlier.replace(tzinfo=known).utcoffset() != later.replace(tzinfo=known).utcoffset()
    ]
    for change in changes:
        require_equal("0 0 * * *", "1d", "0s", zone, change.date(), 3 * DAY)


@pytest.mark.parametrize(("zone", "about"), TURNS)
def test_day_before_a_trigger_is_the_window_when_clocks_change_at_midnight(zone: str, about: date) -> None:
    timetable = CronTriggerTimetable("0 0 * * *", timezone=zone)
    restriction = TimeRestriction(
        earliest=timezone.parse((datetime.combine(about, MIDNIGHT, UTC) - 3 * DAY).isoformat()),
        latest=None,
        catchup=True,
    )
    last: DataInterval | None = None
    found = []
    for _ in range(7):
        info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        assert info is not None
        last = info.data_interval
        moment = plain(last.end)
        facts = RunFacts(
            data_interval_start=moment,
            data_interval_stop=moment,
            logical_date=moment,
            window=DAY,
            run_type="scheduled",
            timezone=zone,
        )
        found.append(resolve_interval(facts))
    assert Grid.of("1d", timezone=zone).tile(Interval(found[0].start, found[-1].stop)) == found


def test_archive_has_the_window_of_the_run_when_midnight_is_shown_twice() -> None:
    zone = "America/Havana"
    operator = ArchiveWindowOperator(
        task_id="archive", bucket="raw", measurement="m", path="/archive", every="1d", timezone=zone
    )
    timetable = CronDataIntervalTimetable("0 0 * * *", timezone=zone)
    start = datetime(2024, 10, 20, tzinfo=UTC)
    runs = list(data_intervals(timetable, start, start + 30 * DAY))
    assert [operator.windows_of(run) for run in runs] == [[run] for run in runs]
    assert datetime(2024, 11, 3, 5, tzinfo=UTC) in [run.start for run in runs]
