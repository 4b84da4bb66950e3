"""Daily runs over two midnights of one day, and over none: rollup, archive, and a purge that follows after 30 days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_influx_rollup.airflow_compat import timezone
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.operators.archive import ArchiveWindowOperator
from airflow_provider_influx_rollup.operators.purge import PurgeWindowOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from tests.scenes.task_scene import make_context

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

ZONE = "America/Havana"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LONG = "range(start: 2024-01-01T00:00:00Z, stop: 2026-01-01T00:00:00Z)"


def plain(moment: datetime) -> datetime:
    return datetime.fromtimestamp(moment.timestamp(), UTC)


def daily(first: datetime, count: int) -> list[tuple[datetime, datetime]]:
    """The data intervals that Airflow gives a daily DAG."""
    timetable = CronDataIntervalTimetable("0 0 * * *", timezone=ZONE)
    restriction = TimeRestriction(timezone.parse(first.isoformat()), None, catchup=True)
    last: DataInterval | None = None
    found = []
    for _ in range(count):
        info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        assert info is not None
        last = info.data_interval
        found.append((plain(last.start), plain(last.end)))
    return found


def values(client: InfluxClient, bucket: str) -> dict[str, int]:
    rows = client.query(f'from(bucket: "{bucket}") |> {LONG} |> filter(fn: (r) => r._measurement == "m")')
    return {row["_time"].isoformat(): row["_value"] for row in rows}


@pytest.mark.parametrize(
    ("first", "hours"),
    [
        # the clocks go back from 01:00 to 00:00: Airflow gives the extra hour to the day before
        (datetime(2024, 11, 1, 4, tzinfo=UTC), [24, 25, 24, 24]),
        # the clocks go forward from 00:00 to 01:00
        (datetime(2025, 3, 7, 5, tzinfo=UTC), [24, 24, 23, 24]),
    ],
)
def test_every_day_runs_when_clocks_change_at_midnight(
    client: InfluxClient,
    bucket_factory: Callable[[], str],
    tmp_path: Path,
    first: datetime,
    hours: list[int],
) -> None:
    raw, target, ledger = bucket_factory(), bucket_factory(), bucket_factory()
    begin = int((first - 5 * HOUR).timestamp()) * 10**9
    client.write_lines(raw, [f"m v={n} {begin + n * 3600 * 10**9}" for n in range(120)])
    shared: dict[str, Any] = {"ledger_bucket": ledger, "influx_conn_id": "tele", "timezone": ZONE}
    place = {"bucket": raw, "measurement": "m", "path": str(tmp_path), **shared}
    runs = daily(first, 4)
    assert [int((stop - start).total_seconds()) // 3600 for start, stop in runs] == hours
    for start, stop in runs:
        context = make_context(data_interval_start=start, data_interval_end=stop)
        FluxRollupOperator(
            task_id="rollup",
            source_bucket=raw,
            target_bucket=target,
            measurement="m",
            every="1d",
            aggregates=["count"],
            pipeline="days",
            **shared,
        ).execute(context)
        ArchiveWindowOperator(task_id="archive", **place).execute(context)
    expected = {start.isoformat(): count for (start, _), count in zip(runs, hours, strict=True)}
    assert values(client, target) == expected
    purge = PurgeWindowOperator(
        task_id="purge", require_pipelines=["days"], delay="30d", quiet_for="0s", **place
    )
    purged = [
        purge.execute(make_context(data_interval_start=start, data_interval_end=stop))["rows_in"]
        for start, stop in daily(first + 30 * DAY - 2 * HOUR, 4)
    ]
    assert [count for count in purged if count] == hours
    assert len(values(client, raw)) == 120 - sum(hours)
