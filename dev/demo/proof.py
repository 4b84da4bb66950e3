"""What was committed, and whether it is right: the ledger and the targets against pandas, by plain queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from dev import fleet as fleet_data
from dev import san_francisco
from dev.demo import setting
from dev.demo.data import Loaded
from dev.demo.timeline import Timeline
from dev.influx_http import InfluxAddress
from tests import oracle

ALWAYS = ("1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z")


@dataclass(frozen=True, slots=True)
class TierProof:
    """One tier.

    :param planned: how many windows there should be
    :param receipts: one row per window: ``start`` (UTC), ``state``, ``rows_in``, ``rows_out``, ``series``
    :param target: what the target bucket holds
    :param differences: between the target and pandas; empty when all is right
    """

    bucket: str
    pipeline: str
    planned: list[oracle.Window]
    receipts: pd.DataFrame
    target: pd.DataFrame
    differences: list[str]

    @property
    def committed(self) -> int:
        """How many planned windows are committed."""
        starts = {start.value for start, _ in self.planned}
        done = self.receipts[self.receipts["state"] == "COMMITTED"]
        return len(starts & {start.value for start in done["start"]})

    @property
    def is_right(self) -> bool:
        """Whether all windows are committed and the target equals pandas."""
        return self.committed == len(self.planned) and not self.differences


def prove(influx: InfluxAddress, timeline: Timeline, loaded: Loaded) -> list[TierProof]:
    """Compare every tier with pandas."""
    fleet = (loaded.fleet.points, fleet_data.TAGS, fleet_data.MEASUREMENT)
    weather = (loaded.weather, san_francisco.TAGS, san_francisco.MEASUREMENT)
    tiers: dict[str, tuple[Any, ...]] = {
        setting.TEN_MINUTES: (*fleet, setting.TEN_MINUTE_AGGREGATES),
        setting.HOURLY: (*fleet, setting.HOURLY_AGGREGATES),
        setting.WEATHER_DAILY: (*weather, {san_francisco.FIELD: setting.DAILY_AGGREGATES}),
    }
    receipts = read_receipts(influx)
    proofs = []
    for bucket, (points, tags, measurement, aggregates) in tiers.items():
        windows, pipeline = timeline.windows()[bucket], setting.PIPELINES[bucket]
        target = oracle.read_target(influx.url, influx.org, influx.token, bucket, measurement, *ALWAYS)
        expected = oracle.rollup(points, tags, windows, aggregates)
        of_tier = receipts[receipts["pipeline"] == pipeline]
        proofs.append(
            TierProof(bucket, pipeline, windows, of_tier, target, oracle.compare(target, expected, most=5))
        )
    return proofs


def read_receipts(influx: InfluxAddress) -> pd.DataFrame:
    """The receipts of all windows from the ledger bucket."""
    flux = f"""from(bucket: "{setting.LEDGER}") |> range(start: {ALWAYS[0]}, stop: {ALWAYS[1]})
        |> filter(fn: (r) => r._measurement == "window_receipt" and r.stage == "rollup")
        |> filter(fn: (r) => r._field == "state" or r._field =~ /^rows_/ or r._field == "series")
        |> toString() |> group()"""
    rows = oracle.query(influx.url, influx.org, influx.token, flux)
    columns = ["pipeline", "_time", "_field", "_value"]
    table = pd.DataFrame(rows, columns=columns).pivot(
        index=["pipeline", "_time"], columns="_field", values="_value"
    )
    table = table.reindex(columns=["state", "rows_in", "rows_out", "series"]).reset_index()
    table["start"] = pd.to_datetime(table["_time"], unit="ns", utc=True)
    return table.astype({"rows_in": "int64", "rows_out": "int64", "series": "int64"})


def read_statuses(influx: InfluxAddress, start: datetime) -> pd.DataFrame:
    """The deadman's statuses: ``device_id``, ``level``, ``time`` (UTC), ``message``."""
    flux = f"""from(bucket: "_monitoring") |> range(start: {start.isoformat()}, stop: {ALWAYS[1]})
        |> filter(fn: (r) => r._measurement == "statuses" and r._check_name == "demo: silent devices")
        |> filter(fn: (r) => r._field == "_message") |> group()"""
    rows = oracle.query(influx.url, influx.org, influx.token, flux)
    table = pd.DataFrame(rows, columns=["device_id", "_level", "_time", "_value"])
    table.columns = pd.Index(["device_id", "level", "time", "message"])
    table["time"] = pd.to_datetime(table["time"], unit="ns", utc=True)
    return table.sort_values(["device_id", "time"], ignore_index=True)
