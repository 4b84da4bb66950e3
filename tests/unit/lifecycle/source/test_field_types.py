"""Where a field may change its type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.shards import shard_parts

DAY = 86400


def test_an_interval_is_cut_at_mondays_when_shard_groups_are_weeks() -> None:
    # 2025-03-08 is a Saturday
    interval = Interval(datetime(2025, 3, 8, 5, tzinfo=UTC), datetime(2025, 3, 19, tzinfo=UTC))
    bounds = [datetime(2025, 3, 10, tzinfo=UTC), datetime(2025, 3, 17, tzinfo=UTC)]
    parts = shard_parts(interval, 7 * DAY)
    assert [part.start for part in parts] == [interval.start, *bounds]
    assert [part.stop for part in parts] == [*bounds, interval.stop]


def test_an_interval_stays_whole_when_one_shard_group_holds_it() -> None:
    interval = Interval(
        datetime(2025, 3, 8, tzinfo=UTC), datetime(2025, 3, 8, tzinfo=UTC) + timedelta(days=1)
    )
    assert shard_parts(interval, DAY) == [interval]
    assert shard_parts(interval, 7 * DAY) == [interval]
    assert shard_parts(interval, 0) == [interval]
