"""A small source with its rollup, which tests change behind the rollup's back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from tests.oracle import compare, rollup, windows
from tests.scenes.rollup_runs import TAGS, Place, interval, make_place, make_points, roll

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from tests.conftest import InfluxServer

DAY = "2025-03-08"
SPAN = interval(DAY, f"{DAY}T04:00")
FIELDS = ("temp", "packets", "state")
NOTHING = {"temp": float("nan"), "packets": pd.NA, "state": None}

MakeScene = Callable[..., "Scene"]


@dataclass
class Scene:
    """A source, its rollup, and the points that are in the source now."""

    place: Place
    spec: RollupSpec
    points: pd.DataFrame

    def expected(self) -> pd.DataFrame:
        """What the target has to hold."""
        spans = windows(DAY, f"{DAY}T04:00", "1h", self.spec.grid.period)
        group_by = None if self.spec.group_by is None else list(self.spec.group_by)
        return rollup(self.points, TAGS, spans, dict(self.spec.aggregates), group_by)

    def differences(self) -> list[str]:
        """What the target holds otherwise."""
        return self.place.differences(self.expected(), self.spec.output_measurement)

    def stored(self) -> pd.DataFrame:
        """What the target holds."""
        return self.place.stored(self.spec.output_measurement)

    def changed_outside(self, before: pd.DataFrame, hours: list[str]) -> list[str]:
        """What has changed in other windows than those of some hours."""
        times = [moment(hour).value for hour in hours]
        after = self.stored()
        return compare(after[~after["_time"].isin(times)], before[~before["_time"].isin(times)])

    def add(self, device: str, time: str, **values: Any) -> None:
        """One point more; at the time of another one, its values replace those there are."""
        at = moment(time)
        same = self.points[self.points["device"] == device]
        row = (same if len(same) else self.points).iloc[[0]].assign(device=device, _time=at)
        for name in FIELDS:
            row[name] = pd.array([values.get(name, NOTHING[name])], self.points[name].dtype)
        self.place.write(row, FIELDS)
        old = self.points[(self.points["device"] == device) & (self.points["_time"] == at)]
        for name in FIELDS:
            if name not in values and len(old):
                row[name] = old[name].array
        self.points = pd.concat([self.points.drop(old.index), row], ignore_index=True)

    def drop(self, device: str, start: str = "00:00", stop: str = "04:00") -> None:
        """Delete points of a device, or of all with ``""``."""
        span = interval(f"{DAY}T{start}", f"{DAY}T{stop}")
        chosen = f' AND "device"="{device}"' if device else ""
        self.place.client.delete(self.place.source, span, f'_measurement="{self.place.measurement}"{chosen}')
        gone = (self.points["_time"] >= span.start) & (self.points["_time"] < span.stop)
        if device:
            gone &= self.points["device"] == device
        self.points = self.points[~gone].reset_index(drop=True)

    def drop_point(self, row: pd.Series[Any]) -> None:
        """Delete one point."""
        after = row["_time"] + pd.Timedelta("1ms")
        self.drop(row["device"], f"{row['_time']:%H:%M:%S.%f}", f"{after:%H:%M:%S.%f}")

    def one_point(self, device: str, hour: int) -> pd.Series[Any]:
        """A point in the middle of an hour, with a value of each number."""
        start = moment(f"{hour:02}:00")
        inside = (self.points["_time"] > start) & (self.points["_time"] < start + pd.Timedelta("1h"))
        found = self.points[(self.points["device"] == device) & inside].dropna(subset=["temp", "packets"])
        return found.sort_values("temp").iloc[len(found) // 2]

    def write_target(self, tags: str, fields: str, hour: str = "01:00") -> None:
        """Write into the target by hand."""
        line = f"{self.spec.output_measurement},{tags} {fields} {moment(hour).value}"
        self.place.client.write_lines(self.place.target, [line])

    def delete_target(self, tags: str = "", hour: str = "01:00") -> None:
        """Delete rows of the target by hand."""
        span = interval(f"{DAY}T{hour}", f"{DAY}T{hour}:00.000001")
        predicate = f'_measurement="{self.spec.output_measurement}"{tags}'
        self.place.client.delete(self.place.target, span, predicate)


def moment(time: str) -> pd.Timestamp:
    """A time of the day."""
    return pd.Timestamp(f"{DAY}T{time}", tz="UTC")


def scene_points() -> pd.DataFrame:
    """Points of four hours; device ``a-2`` sends nothing in the third."""
    points = make_points(DAY, f"{DAY}T04:00", 300)
    silent = (points["_time"] >= moment("02:00")) & (points["_time"] < moment("03:00"))
    return points[~(silent & (points["device"] == "a-2"))].reset_index(drop=True)


def scene_maker(influx: InfluxServer, client: InfluxClient) -> MakeScene:
    """Makes scenes that share their buckets and have measurements of their own."""
    place = make_place(influx, client)
    points = scene_points()

    def make(rules: Any, grid: GridSpec | str = "1h", **more: Any) -> Scene:
        own = replace(place, measurement=f"readings_{uuid.uuid4().hex[:8]}")
        own.write(points, FIELDS)
        scene = Scene(own, own.spec(grid, rules, **more), points)
        roll(client, scene.spec, SPAN)
        return scene

    return make
