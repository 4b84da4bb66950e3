"""Small telemetry with every kind of value and name, and short ways to roll it up and to read what is stored."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.influx import Gather, Write
from airflow_provider_influx_rollup.steps.step import Step
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.oracle import compare, query, read_target

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from tests.conftest import InfluxServer

TAGS = ("device", "site", "note")
ODD_FIELD = 'fläche, "m²" = 10% \\x'
FIELDS = ("temp", "packets", "total", "state", "online", ODD_FIELD)
NUMBERS = ("temp", "packets", "total", ODD_FIELD)
ANY_TYPE = ("count", "first", "last", "distinct")
PUSHED = ("count", "sum", "min", "max", "mean", "first", "last")
RAW = ("median", "stddev", "spread", "distinct", "integral", "p50", "p99", "p99.9")
WORKER_ONLY = ("increase", "resets")
MERGEABLE = ("count", "sum", "min", "max", "first", "last")
SERIES = (
    ("a-1", "berlin", ""),
    ("a-2", "são paulo, west = 1", 'say "hi"'),
    ("Gerät №7", "berlin", "C:\\logs, x"),
    ("b 1", "", ""),
    ("b 2", "nairobi", "早い"),
)
RUN = RunInfo(dag_id="dag", task_id="task", run_id="run", try_number=1)


def now() -> datetime:
    """The clock of the runs."""
    return datetime.now(UTC)


def make_points(start: str, stop: str, step_seconds: int, seed: int = 3) -> pd.DataFrame:
    """Points of several series with dropouts, missing tags (``""``), missing fields and every type.

    :return: ``_time`` (UTC), the tags, the fields with nullable types
    """
    random = np.random.default_rng(seed)
    times = pd.date_range(start, stop, freq=f"{step_seconds}s", tz="UTC", inclusive="left")
    frames = []
    for number, tags in enumerate(SERIES):
        moments = times[random.random(len(times)) > 0.15] + pd.Timedelta(milliseconds=137 * (number % 3))
        frames.append(_series(tags, moments, random, gap=number == 1))
    points = pd.concat(frames, ignore_index=True)
    # the last series sends no uints at all, the second one no text
    points.loc[points["device"] == "b 2", "total"] = pd.NA
    points.loc[points["device"] == "a-2", "state"] = None
    return points


def _series(
    tags: tuple[str, ...], times: pd.DatetimeIndex, random: np.random.Generator, *, gap: bool
) -> pd.DataFrame:
    if gap and len(times) > 9:
        third = len(times) // 3
        times = times[:third].append(times[2 * third :])
    count = len(times)
    frame = pd.DataFrame({"_time": times, **dict(zip(TAGS, tags, strict=True))})
    frame["temp"] = pd.array(random.normal(20, 8, count), dtype="float64")
    frame.loc[random.random(count) < 0.1, "temp"] = np.nan
    frame["packets"] = pd.array(random.integers(-9, 2**53, count), dtype="Int64")
    frame.loc[random.random(count) < 0.1, "packets"] = pd.NA
    frame["total"] = pd.array(2**40 + random.integers(0, 10**6, count).astype(np.uint64), dtype="UInt64")
    frame["state"] = random.choice(np.array(["ok", 'fault "E7" \\', "grün, = 1"], dtype=object), count)
    frame["online"] = pd.array(random.random(count) < 0.5, dtype="boolean")
    frame[ODD_FIELD] = random.normal(0, 1e-3, count)
    return frame


def encode(points: pd.DataFrame, measurement: str, fields: Sequence[str] = FIELDS) -> list[str]:
    """Line protocol of points; shares nothing with the product's."""
    lines = []
    for row in points.to_dict("records"):
        tags = "".join(f",{key}={_escape(row[key], ',= ')}" for key in sorted(TAGS) if row.get(key))
        values = [
            f"{_escape(name, ',= ')}={_value(name, row[name])}" for name in fields if not pd.isna(row[name])
        ]
        if values:
            lines.append(
                f"{_escape(measurement, ', ')}{tags} {','.join(values)} {row['_time'].as_unit('ns').value}"
            )
    return lines


def _escape(text: str, special: str) -> str:
    for character in special:
        text = text.replace(character, f"\\{character}")
    return text


def _value(name: str, value: Any) -> str:
    if name == "total":
        return f"{int(value)}u"
    if isinstance(value, bool | np.bool_):
        return "t" if value else "f"
    if isinstance(value, str):
        return '"' + _escape(value, '\\"') + '"'
    return f"{int(value)}i" if name == "packets" else repr(float(value))


def interval(start: str, stop: str) -> Interval:
    """From ISO texts in UTC."""
    return Interval(*(pd.Timestamp(text, tz="UTC").to_pydatetime() for text in (start, stop)))


def roll(
    client: InfluxClient,
    spec: RollupSpec,
    span: Interval,
    report: Callable[[str], object] = lambda _text: None,
) -> dict[str, Any]:
    """Roll up as the operator does."""
    steps = roll_up(spec, span, RUN, now)
    return drive(steps, client, lambda message: report(message.message)).as_json()


@dataclass(frozen=True)
class Place:
    """A source with points, a target and a ledger of its own, on a real server."""

    server: InfluxServer
    client: InfluxClient
    source: str
    target: str
    ledger: str
    measurement: str = "readings"

    def spec(self, grid: GridSpec | str, aggregates: Any, **more: Any) -> RollupSpec:
        """A rollup from this source to this target."""
        names = aggregates if isinstance(aggregates, Mapping) else tuple(aggregates)
        return RollupSpec(
            source_bucket=self.source,
            target_bucket=self.target,
            measurement=self.measurement,
            grid=GridSpec(grid) if isinstance(grid, str) else grid,
            aggregates=names,
            ledger_bucket=self.ledger,
            **more,
        )

    def write(self, points: pd.DataFrame, fields: Sequence[str] = FIELDS) -> None:
        """Add points to the source."""
        self.client.write_lines(self.source, encode(points, self.measurement, fields))

    def stored(self, measurement: str | None = None, bucket: str | None = None) -> pd.DataFrame:
        """All that the target holds, read without the product."""
        return read_target(
            self.server.url,
            self.server.org,
            self.server.token,
            bucket or self.target,
            measurement or self.measurement,
            "1970-01-01T00:00:00Z",
            "2100-01-01T00:00:00Z",
        )

    def differences(self, expected: pd.DataFrame, measurement: str | None = None) -> list[str]:
        """What differs between the target and the oracle."""
        return compare(self.stored(measurement), expected)

    def count_series_keys(self) -> int:
        """Stored values of the target, where a doubled series key counts twice; one count for each type."""
        rows = query(
            self.server.url,
            self.server.org,
            self.server.token,
            f"""from(bucket: "{self.target}") |> range(start: 1970-01-01T00:00:00Z, stop: 2100-01-01T00:00:00Z)
                |> count() |> group() |> sum()""",
        )
        return sum(int(row["_value"]) for row in rows)

    def states(self, pipeline: str = "") -> dict[str, str]:
        """State of each window of a pipeline in the ledger, by its start, read without the product.

        One that nobody has begun has none.
        """
        rows = query(
            self.server.url,
            self.server.org,
            self.server.token,
            f"""from(bucket: "{self.ledger}") |> range(start: 1970-01-01T00:00:00Z, stop: 2100-01-01T00:00:00Z)
                |> filter(fn: (r) => r._measurement == "window_receipt")
                |> filter(fn: (r) => r._field == "state" or r._field == "planned")""",
        )
        rows = [row for row in rows if pipeline in ("", row["pipeline"])]
        found = {row["_time"]: "PLANNED" for row in rows}
        found |= {row["_time"]: row["_value"] for row in rows if row["_field"] == "state"}
        return {pd.Timestamp(time, tz="UTC").isoformat(): state for time, state in found.items()}


def make_place(server: InfluxServer, client: InfluxClient) -> Place:
    """Fresh buckets."""
    suffix = uuid.uuid4().hex[:10]
    place = Place(server, client, f"raw_{suffix}", f"rolled_{suffix}", f"ledger_{suffix}")
    for bucket in (place.source, place.target):
        client.ensure_bucket(bucket)
    return place


def per_field(names: Iterable[str], fields: Sequence[str] = FIELDS) -> dict[str, tuple[str, ...]]:
    """The aggregates that each field can have, of those named."""
    chosen = tuple(names)
    return {
        field: chosen if field in NUMBERS else tuple(name for name in chosen if name in ANY_TYPE)
        for field in fields
        if field in NUMBERS or any(name in ANY_TYPE for name in chosen)
    }


def writes_to(step: Step | None, bucket: str) -> bool:
    """Whether a step writes into a bucket, alone or beside others."""
    steps = step.steps if isinstance(step, Gather) else (step,)
    return any(isinstance(one, Write) and one.bucket == bucket for one in steps)
