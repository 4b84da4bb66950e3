"""A fleet with planted faults of every kind, and an oracle in pandas that finds them without the product's code.

The points are a long table: one row for each value, with the columns ``tags`` (sorted pairs), ``field``, ``time`` (ns),
``value`` and ``kind``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from dev.fleet import FIELDS, TAGS, make_fleet, small_plan

MEASUREMENT = "sensor_readings"
# a Sunday evening: InfluxDB's weekly shard groups begin at Monday 00:00
START = datetime(2025, 3, 9, 18, tzinfo=UTC)
BORDER_NS = int(datetime(2025, 3, 10, tzinfo=UTC).timestamp()) * 10**9
MINUTE_NS = 60 * 10**9
KINDS = {
    "count": "integer",
    "humidity": "float",
    "ok": "boolean",
    "status": "string",
    "temperature": "float",
    "received": "integer",
    "mode": "integer",
    "debug": "string",
}
STATUSES = ("ok", "degraded", 'fault "E7", see C:\\log', "grün = gut")
SITES = ("berlin", "nairobi", "são paulo", "west, hall 2")
TWIN = (("device_id", "Device-005 "), ("firmware", "1.9"), ("site", "nairobi"))
NO_SITE = (("device_id", "device-005"), ("firmware", "1.9"))
QUOTED = (("device_id", 'the "old" one\\x'), ("firmware", "1.9"), ("site", "berlin"))

Point = tuple[str, tuple[tuple[str, str], ...], int]
"""Field, tags and time of a value."""


@dataclass(frozen=True)
class Scene:
    """Points with faults.

    :param planted: what was planted, by the kind of the fault
    """

    points: pd.DataFrame
    planted: dict[str, set[Point]]

    def lines(self) -> Iterator[str]:
        """Line protocol, one line for each value."""
        for row in self.points.itertuples(index=False):
            tags = "".join(f",{key}={escape(value)}" for key, value in row.tags)
            yield f"{MEASUREMENT}{tags} {row.field}={literal(row.value, row.kind)} {row.time}"


def escape(text: str) -> str:
    """A tag's value."""
    for character in ",= ":
        text = text.replace(character, f"\\{character}")
    return text


def literal(value: Any, kind: str) -> str:
    """A field's value."""
    if kind == "string":
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return {"integer": f"{value}i", "boolean": str(value).lower()}.get(kind, repr(value))


def make_scene() -> Scene:
    """Twelve hours of six devices, a point a minute, and the faults."""
    fleet = make_fleet(small_plan(START)).points
    fleet["_time"] = fleet["_time"].astype("datetime64[ns, UTC]").astype("int64")
    wide = [
        {"tags": tuple((tag, row[tag]) for tag in TAGS), "time": row["_time"], **{f: row[f] for f in FIELDS}}
        for row in fleet.to_dict("records")
    ]
    for row in wide:
        row["received"] = row["time"] + 2 * 10**9
        row["mode"] = 1
    table = pd.DataFrame(wide).melt(["tags", "time"], var_name="field", value_name="value")
    table = table[table["value"].notna()]
    table["kind"] = table["field"].map(KINDS)
    return _plant(table.sort_values(["field", "tags", "time"], ignore_index=True))


def _plant(table: pd.DataFrame) -> Scene:
    random = np.random.default_rng(20250309)
    planted: dict[str, set[Point]] = {}

    def change(kind: str, field: str, count: int, value: Callable[[Any, int], Any], spaced: int = 40) -> None:
        """Give some values of a field another value, far enough from each other not to be one fault."""
        rows = table.index[(table["field"] == field) & (table["time"] > table["time"].min() + 30 * MINUTE_NS)]
        places = random.choice(len(rows) // spaced - 1, count, replace=False) * spaced + spaced // 2
        chosen = rows[np.sort(places)]
        for row, place in zip(chosen, places.tolist(), strict=True):
            table.at[row, "value"] = value(table.at[row, "value"], place)
        planted[kind] = points_of(table.loc[chosen])

    change("outlier", "temperature", 9, lambda v, n: 900.0 + v if n % 2 else v - 300.0)
    change("fall", "count", 7, lambda v, _n: v - 5000)
    change("typo", "status", 6, lambda _v, n: ("Ok", "", "nan", "-Inf ", "line\ttab", "x" * 300)[n % 6])
    change("late", "received", 11, lambda v, n: v + (400 + n) * 10**9)
    table.loc[(table["field"] == "mode") & (table["time"] >= BORDER_NS), "kind"] = "float"
    planted["type"] = points_of(table[(table["field"] == "mode") & (table["time"] >= BORDER_NS)])
    device = table["tags"].map(lambda tags: dict(tags)["device_id"])
    stuck = table.index[(table["field"] == "humidity") & (device == "device-003")][200:240]
    table.loc[stuck, "value"] = 50.0
    planted["stuck"] = points_of(table.loc[stuck[24:]])
    extra = _extra_series(planted)
    return Scene(pd.concat([table, extra], ignore_index=True), planted)


def _extra_series(planted: dict[str, set[Point]]) -> pd.DataFrame:
    """Series that should not be, a field that should not be, points a nanosecond apart, empty texts."""
    noon = BORDER_NS - 5 * MINUTE_NS
    rows: list[tuple[Any, ...]] = []
    for step in range(5):
        rows.append((TWIN, "temperature", noon + step, 20.0, "float"))
        rows.append((NO_SITE, "temperature", noon + step * MINUTE_NS + 7, 21.0, "float"))
        rows.append((QUOTED, "temperature", noon + step * MINUTE_NS, 22.0, "float"))
        rows.append((QUOTED, "debug", noon + step * MINUTE_NS, "", "string"))
    # the third of three points that are a nanosecond apart
    rows += [
        (QUOTED, "humidity", noon + step, value, "float") for step, value in enumerate((40.0, 40.5, 99.5))
    ]
    frame = pd.DataFrame(rows, columns=["tags", "field", "time", "value", "kind"])
    for name, tags in (("twin", TWIN), ("no site", NO_SITE), ("quoted", QUOTED)):
        planted[name] = points_of(frame[frame["tags"].map(lambda one, tags=tags: one == tags)])
    planted["unknown field"] = points_of(frame[frame["field"] == "debug"])
    planted["nanosecond"] = {("humidity", QUOTED, noon + 2)}
    return frame


def points_of(table: pd.DataFrame) -> set[Point]:
    """The values' places."""
    return set(zip(table["field"], table["tags"], table["time"].tolist(), strict=True))


# --- the oracle -------------------------------------------------------------------------------------------


def of_field(table: pd.DataFrame, field: str) -> pd.DataFrame:
    """One field, by series and time."""
    return table[table["field"] == field].sort_values(["tags", "time"])


def outside(table: pd.DataFrame, field: str, low: float, high: float) -> set[Point]:
    """Values outside of a range."""
    some = of_field(table, field)
    return points_of(some[~some["value"].astype(float).between(low, high)])


def not_in(table: pd.DataFrame, field: str, values: tuple[str, ...]) -> set[Point]:
    """Other values."""
    some = of_field(table, field)
    return points_of(some[~some["value"].isin(values)])


def stuck(table: pd.DataFrame, field: str, points: int) -> set[Point]:
    """Values that have not changed for a while."""
    some = of_field(table, field)
    run = (some["tags"] != some["tags"].shift()) | (some["value"] != some["value"].shift())
    return points_of(some[some.groupby(run.cumsum()).cumcount() + 1 >= points])


def jumps(table: pd.DataFrame, field: str, most: float, per_ns: int) -> set[Point]:
    """Values too far from the last one that was not."""
    found: set[Point] = set()
    for tags, series in of_field(table, field).groupby("tags", sort=False):
        good: tuple[int, float] | None = None
        for time, value in zip(series["time"].tolist(), series["value"].astype(float).tolist(), strict=True):
            if good and abs(value - good[1]) > most * max(1.0, (time - good[0]) / per_ns):
                found.add((field, tags, time))
            else:
                good = (time, value)
    return found


def falls(table: pd.DataFrame, field: str) -> set[Point]:
    """Values less than the one before."""
    some = of_field(table, field)
    step = some["value"].astype("int64").groupby(some["tags"]).diff()
    return points_of(some[step < 0])


def lacking(table: pd.DataFrame, field: str) -> set[Point]:
    """All values at times at which a series has none of a field."""
    places = set(zip(*(of_field(table, field)[name] for name in ("tags", "time")), strict=True))
    rest = table[table["field"] != field]
    return {one for one in points_of(rest) if one[1:] not in places}


def where_tags(table: pd.DataFrame, is_wrong: Callable[[dict[str, str]], bool]) -> set[Point]:
    """All values of some series."""
    return points_of(table[table["tags"].map(lambda tags: is_wrong(dict(tags)))])
