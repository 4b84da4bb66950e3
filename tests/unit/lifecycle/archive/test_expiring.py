"""Which windows retention deletes soon, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow_provider_influx_rollup.lifecycle.archive.expiring import deletion, expiring_windows
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.steps.influx import Bucket
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval

DAY = timedelta(days=1)
NOW = datetime(2025, 3, 31, 12, tzinfo=UTC)
KEPT = Bucket(name="raw", retention_seconds=30 * 86_400, shard_group_seconds=86_400)
FOREVER = Bucket(name="raw", retention_seconds=0, shard_group_seconds=7 * 86_400)
SPEC = ArchiveSpec(org="o", bucket="raw", measurement="m", shown_path="/archive", ledger_bucket="ledger")
DAYS = Grid.of("1d")


def days(windows: list[Interval]) -> list[datetime]:
    return [window.start for window in windows]


def test_points_go_with_their_shard_when_it_ended_before_the_retention() -> None:
    window = Interval(datetime(2025, 3, 8, 5, tzinfo=UTC), datetime(2025, 3, 8, 6, tzinfo=UTC))
    assert deletion(window, KEPT) == datetime(2025, 3, 9, tzinfo=UTC) + 30 * DAY


def test_days_are_found_when_retention_deletes_them_soon() -> None:
    soon = days(expiring_windows(SPEC, KEPT, DAYS, Duration.of("2d"), NOW))
    # 1 March is deleted on 1 April, 12 hours from now, and 2 March on the day after
    assert soon[-1] == datetime(2025, 3, 2, tzinfo=UTC)
    assert soon == [soon[0] + number * DAY for number in range(len(soon))]
    # older ones may be there still
    assert soon[0] <= NOW - 31 * DAY
    later = days(expiring_windows(SPEC, KEPT, DAYS, Duration.of("4d"), NOW))
    assert later == [*soon, soon[-1] + DAY, soon[-1] + 2 * DAY]


def test_no_window_is_found_when_the_bucket_keeps_forever() -> None:
    assert expiring_windows(SPEC, FOREVER, DAYS, Duration.of("1000d"), NOW) == []


def test_windows_wait_for_late_points_when_nearly_all_of_them_expire() -> None:
    found = days(expiring_windows(SPEC, KEPT, DAYS, Duration.of("60d"), NOW))
    assert found[-1] == datetime(2025, 3, 30, tzinfo=UTC)
