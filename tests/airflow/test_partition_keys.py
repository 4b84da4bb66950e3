"""Keys as Airflow's own mappers write them name the windows of these mappers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_influx_rollup.windows.partition_key import read_partition_key

mappers: Any = pytest.importorskip(
    "airflow.partition_mappers.temporal", reason="Airflow 3.2 and later have partitions"
)

NAMES = {
    "StartOfHourMapper": lambda local: local.replace(minute=0),
    "StartOfDayMapper": lambda local: local.replace(hour=0, minute=0),
    "StartOfWeekMapper": lambda local: local.replace(day=9, hour=0, minute=0),
    "StartOfMonthMapper": lambda local: local.replace(day=1, hour=0, minute=0),
    "StartOfQuarterMapper": lambda local: local.replace(month=1, day=1, hour=0, minute=0),
    "StartOfYearMapper": lambda local: local.replace(month=1, day=1, hour=0, minute=0),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_key_of_a_mapper_is_the_start_of_its_window(name: str, zone: str) -> None:
    local = datetime(2026, 3, 11, 9, 40, tzinfo=ZoneInfo(zone))
    key = getattr(mappers, name)(timezone=zone).to_downstream(local.strftime("%Y-%m-%dT%H:%M:%S"))
    # the year alone might be any number
    key_format = "%Y" if name == "StartOfYearMapper" else None
    assert read_partition_key(key, zone, key_format) == NAMES[name](local).astimezone(UTC), key
