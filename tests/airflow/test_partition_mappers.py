"""Partition mappers over grids, by the classes of Airflow's core that the scheduler asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

pytest.importorskip(
    "airflow.partition_mappers.window", reason="Airflow 3.3 and later have windows of partitions"
)

from airflow import plugins_manager
from airflow.partition_mappers.base import is_rollup
from airflow.sdk import FanOutMapper, PartitionedAssetTimetable
from airflow.serialization.decoders import decode_partition_mapper
from airflow.serialization.encoders import encode_partition_mapper

from airflow_provider_influx_rollup.airflow_compat import Asset
from airflow_provider_influx_rollup.exceptions import WindowMisaligned, WindowUndefined
from airflow_provider_influx_rollup.partitions.mappers import GridMapper, GridWindow, windows_in
from airflow_provider_influx_rollup.partitions.plugin import PartitionsPlugin

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin as Airflow finds it by the entry point of the installed package."""
    for name, classes in (
        ("get_partition_mapper_plugins", PartitionsPlugin.partition_mappers),
        ("get_windows_plugins", PartitionsPlugin.windows),
    ):
        known = {f"{one.__module__}.{one.__qualname__}": one for one in classes}
        monkeypatch.setattr(plugins_manager, name, lambda known=known: known)


def in_scheduler(mapper: Any) -> Any:
    """A mapper after its trip through Airflow's database."""
    again = decode_partition_mapper(encode_partition_mapper(mapper))
    assert encode_partition_mapper(again) == encode_partition_mapper(mapper)
    return again


def key(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-28", 24), ("2026-03-29", 23), ("2026-03-30", 24), ("2026-10-25", 25), ("2026-10-26", 24)],
)
def test_day_waits_for_the_hours_that_it_has(day: str, hours: int) -> None:
    mapper = in_scheduler(windows_in("1d", "1h", timezone="Europe/Berlin"))
    assert is_rollup(mapper)
    start = datetime.fromisoformat(day).replace(tzinfo=BERLIN)
    stop = start + timedelta(days=1)  # of the clock
    elapsed = stop.astimezone(UTC) - start.astimezone(UTC)
    assert elapsed == timedelta(hours=hours)
    keys = {key(start.astimezone(UTC) + timedelta(hours=at)) for at in range(hours)}
    assert mapper.to_upstream(key(start)) == keys
    assert {mapper.to_downstream(one) for one in keys} == {key(start)}
    assert mapper.to_partition_date(key(start)) == start
    all_but_one = set(sorted(keys)[:-1])
    expected = mapper.to_upstream(key(start))
    assert mapper.wait_policy.is_satisfied_by_keys(matched=keys, expected=expected).satisfied
    assert not mapper.wait_policy.is_satisfied_by_keys(matched=all_but_one, expected=expected).satisfied


@pytest.mark.parametrize(
    ("window", "fine", "offset", "start", "count"),
    [
        ("1w", "1d", "0s", "2026-10-19T00:00:00", 7),
        ("1mo", "1d", "0s", "2026-02-01T00:00:00", 28),
        ("1y", "1mo", "0s", "2026-01-01T00:00:00", 12),
        ("1d", "15m", "6h", "2026-03-28T06:00:00", 4 * 23),
        ("1h", "5m", "0s", "2026-10-25T02:00:00", 12),
    ],
)
def test_windows_are_those_of_the_grid(window: str, fine: str, offset: str, start: str, count: int) -> None:
    mapper = in_scheduler(windows_in(window, fine, offset=offset, timezone="Europe/Berlin"))
    begin = datetime.fromisoformat(start).replace(tzinfo=BERLIN)
    keys = mapper.to_upstream(key(begin))
    assert len(keys) == count
    assert key(begin) in keys
    assert {mapper.to_downstream(one) for one in keys} == {key(begin)}


def test_day_starts_its_hours_when_it_is_fanned_out() -> None:
    hours = FanOutMapper(
        upstream_mapper=GridMapper("1d", timezone="Europe/Berlin"),
        window=GridWindow("1d", "1h", timezone="Europe/Berlin"),
        downstream_mapper=GridMapper("1h"),
    )
    found = list(in_scheduler(hours).to_downstream("2026-10-24T22:00:00Z"))
    assert (len(found), found[0], found[-1]) == (25, "2026-10-24T22:00:00Z", "2026-10-25T22:00:00Z")


def test_wrong_windows_and_keys_are_refused() -> None:
    with pytest.raises(WindowMisaligned):
        windows_in("1d", "7h")
    # of a time without an offset nobody knows which of two hours it is
    with pytest.raises(WindowUndefined, match="the partition key"):
        GridMapper("1d", timezone="Europe/Berlin").to_downstream("2026-10-25T02:00:00")


def test_dag_that_waits_for_hours_is_serialized() -> None:
    asset = Asset("influxdb://c/-/hourly/m")
    mapper = windows_in("1d", "1h", timezone="Europe/Berlin")
    timetable = PartitionedAssetTimetable(assets=asset, partition_mapper_config={asset: mapper})
    from airflow.serialization.encoders import _serializer

    assert "GridWindow" in str(_serializer.serialize_timetable(timetable))
