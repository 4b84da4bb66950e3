"""Points for the benchmark: 1,000 series of 2,160 points, at 10 s and, for local days, at 2 minutes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient

SERIES = 1000
POINTS = 2160
SOURCE_BUCKET = "bench_source"
TARGETS = (
    "stage",
    "days",
    "sliding",
    "worker",
    "shared",
    "reduced",
    "located",
    "slid",
    "raw",
    "raw_wide",
    "pandas",
)
SECOND_NS = 10**9


@dataclass(frozen=True)
class DataSet:
    """One measurement of the benchmark.

    :param start: time of the first point
    :param step_seconds: time between two points of a series
    """

    measurement: str
    start: datetime
    step_seconds: int

    @property
    def stop(self) -> datetime:
        """First instant after the last point's step."""
        return self.start + timedelta(seconds=self.step_seconds * POINTS)

    def lines(self) -> Iterator[str]:
        """Line protocol, the same in every run."""
        random = np.random.default_rng(20260101)
        first_ns = int(self.start.timestamp()) * SECOND_NS
        for number in range(SERIES):
            values = 20 + np.cumsum(random.normal(0, 0.1, POINTS))
            tags = f"device_id=d{number:04d},site=s{number % 10}"
            for index, value in enumerate(values.tolist()):
                time_ns = first_ns + index * self.step_seconds * SECOND_NS
                yield f"{self.measurement},{tags} temperature={value:.3f} {time_ns}"


SIX_HOURS = DataSet("six_hours", datetime(2026, 1, 1, tzinfo=UTC), 10)
# local midnight in Los Angeles; the second of the three days has 23 hours
THREE_DAYS = DataSet("three_days", datetime(2026, 3, 7, 8, tzinfo=UTC), 120)


def target_bucket(name: str) -> str:
    """The bucket that one of the contestants writes to."""
    return f"bench_{name}"


def load(client: InfluxClient) -> None:
    """Write both data sets unless they are there."""
    for name in TARGETS:
        client.ensure_bucket(target_bucket(name))
    client.ensure_bucket(SOURCE_BUCKET)
    for data_set in (SIX_HOURS, THREE_DAYS):
        if count(client, data_set) != SERIES * POINTS:
            client.write_lines(SOURCE_BUCKET, data_set.lines())


def count(client: InfluxClient, data_set: DataSet) -> int:
    """How many points of a data set the server has."""
    rows = client.query(
        f'from(bucket: "{SOURCE_BUCKET}") |> range(start: 2026-01-01T00:00:00Z, stop: 2027-01-01T00:00:00Z)'
        f' |> filter(fn: (r) => r._measurement == "{data_set.measurement}")'
        ' |> group(columns: ["_field"]) |> count()'
    )
    return sum(row["_value"] for row in rows)
