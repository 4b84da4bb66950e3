"""Telemetry of a fleet of devices, the same for the same seed: what real devices do, good and bad."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

Positions = np.ndarray[Any, np.dtype[np.int64]]
MEASUREMENT = "sensor_readings"
TAGS = ("device_id", "firmware", "site")
FIELDS = ("count", "humidity", "ok", "status", "temperature")
STATUSES = np.array(["ok", "degraded", 'fault "E7", see C:\\log', "grün = gut"], dtype=object)
SITES = ("berlin", "nairobi", "são paulo", "west, hall 2")
UNICODE_DEVICE = "Gerät №7 = Süd"
SILENT_DEVICE = "device-001"
NEVER_STARTED_DEVICE = "device-never"
DROPOUTS_DEVICE = "device-002"


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """How much telemetry to make.

    :param start: time of the first possible point, aware UTC
    :param devices: how many devices send; one more is expected and never starts
    :param hours: how long they send
    :param step_seconds: time between two points of a device
    """

    start: datetime
    devices: int = 40
    hours: int = 48
    step_seconds: int = 10
    seed: int = 7

    @property
    def stop(self) -> datetime:
        """End of the telemetry (exclusive)."""
        return self.start + timedelta(hours=self.hours)

    @property
    def silent_from(self) -> datetime:
        """When the silent device stops: half way, at a whole hour."""
        return self.start + timedelta(hours=self.hours // 2)

    @property
    def device_ids(self) -> list[str]:
        """Devices that send."""
        return [UNICODE_DEVICE if n == 0 else f"device-{n:03d}" for n in range(self.devices)]

    @property
    def expected(self) -> list[dict[str, str]]:
        """The inventory: every device that should report, also the one that never starts."""
        return [{"device_id": device} for device in [*self.device_ids, NEVER_STARTED_DEVICE]]


@dataclass(frozen=True, slots=True)
class Fleet:
    """The points of a fleet and how they arrive.

    :param points: one row per device and time, as a database should hold them in the end: columns ``_time``
        (UTC), the tags, the fields (each with its own type; a missing value was never sent)
    :param in_time: row positions of ``points`` that come first
    :param late: row positions that come after them, in disorder: late ones, repeats, corrections
    :param corrected: positions that come first with a wrong temperature, and late with the right one
    """

    plan: FleetPlan
    points: pd.DataFrame
    in_time: Positions
    late: Positions
    corrected: Positions

    @property
    def arrivals(self) -> int:
        """How many packets there are, with the repeated ones."""
        return len(self.in_time) + len(self.late)

    def waves(self) -> Iterator[list[str]]:
        """Line protocol in the order of arrival: what comes in time, then, after all of it, what comes late."""
        right = _encode(self.points)
        wrong_rows = self.points.loc[self.corrected].assign(temperature=-99.0)
        wrong = dict(zip(self.corrected.tolist(), _encode(wrong_rows), strict=True))
        yield [wrong.get(position) or right[position] for position in self.in_time.tolist()]
        yield [right[position] for position in self.late.tolist()]


def make_fleet(plan: FleetPlan) -> Fleet:
    """Make the telemetry of a plan.

    It has dropouts (a whole missing half day in one device and single points in all), a silent device, a
    firmware update half way (a new series for the same device), late and repeated packets, and corrections.
    """
    random = np.random.default_rng(plan.seed)
    frames = [_device(plan, number, random) for number in range(plan.devices)]
    points = pd.concat(frames, ignore_index=True).sort_values(["_time", "device_id"], ignore_index=True)
    size = len(points)
    late = random.random(size) < 0.01
    repeated = np.flatnonzero(random.random(size) < 0.005)
    corrected = late & (random.random(size) < 0.02)
    after = random.permutation(np.concatenate([np.flatnonzero(late), repeated]))
    return Fleet(plan, points, np.flatnonzero(~late | corrected), after, np.flatnonzero(corrected))


def _device(plan: FleetPlan, number: int, random: np.random.Generator) -> pd.DataFrame:
    device = plan.device_ids[number]
    steps = plan.hours * 3600 // plan.step_seconds
    seconds = np.arange(steps) * plan.step_seconds
    # devices do not send at the same instant; some send exactly on the border of a window
    jitter_ms = 0 if number % 3 == 0 else number * 37 % (plan.step_seconds * 1000)
    start_ns = int(plan.start.timestamp()) * 1_000_000_000
    time = start_ns + seconds * 1_000_000_000 + jitter_ms * 1_000_000
    day = 2 * np.pi * seconds / 86_400
    status = STATUSES[random.choice(len(STATUSES), steps, p=[0.97, 0.02, 0.005, 0.005])]
    frame = pd.DataFrame(
        {
            "_time": pd.to_datetime(time, utc=True),
            "device_id": device,
            "firmware": np.where(
                (number % 5 == 4) & (seconds >= steps * plan.step_seconds // 2), "1.10", "1.9"
            ),
            "site": SITES[number % len(SITES)],
            "temperature": np.round(18 + number % 7 + 6 * np.sin(day - 2) + random.normal(0, 0.4, steps), 3),
            "humidity": np.clip(np.round(55 - 15 * np.sin(day - 2) + random.normal(0, 2, steps), 2), 0, 100),
            "count": np.cumsum(random.integers(0, 5, steps)).astype(np.int64),
            "status": status,
            "ok": status == "ok",
        }
    )
    # a sensor that fails alone: the field is missing, the other fields are there
    frame.loc[random.random(steps) < 0.003, "humidity"] = np.nan
    return frame[_alive(plan, device, seconds, random)]


def _alive(
    plan: FleetPlan, device: str, seconds: np.ndarray[Any, Any], random: np.random.Generator
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    alive = np.asarray(random.random(len(seconds)) > 0.002)
    if device == SILENT_DEVICE:
        alive &= seconds < (plan.silent_from - plan.start).total_seconds()
    if device == DROPOUTS_DEVICE:
        hours = seconds / 3600
        alive &= ~((hours >= plan.hours / 4) & (hours < plan.hours / 4 + max(plan.hours / 8, 1)))
    return alive


def _escape(text: str, special: str) -> str:
    for character in special:
        text = text.replace(character, f"\\{character}")
    return text


def _encode(points: pd.DataFrame) -> list[str]:
    """Line protocol of rows; tags sorted by name, nanosecond times."""
    heads: dict[tuple[str, ...], str] = {}
    for key in set(zip(*(points[tag] for tag in TAGS), strict=True)):
        tags = "".join(f",{tag}={_escape(value, ',= ')}" for tag, value in zip(TAGS, key, strict=True))
        heads[key] = f"{MEASUREMENT}{tags} "
    texts = {status: '"' + _escape(str(status), '\\"') + '"' for status in STATUSES}
    columns = zip(
        *(points[tag] for tag in TAGS),
        *(points[name].tolist() for name in ("count", "humidity", "ok", "status", "temperature")),
        points["_time"].astype("datetime64[ns, UTC]").astype("int64").tolist(),
        strict=True,
    )
    lines = []
    for device, firmware, site, count, humidity, ok, status, temperature, time in columns:
        maybe = "" if humidity != humidity else f"humidity={humidity!r},"
        fields = f"count={count}i,{maybe}ok={'t' if ok else 'f'},status={texts[status]},temperature={temperature!r}"
        lines.append(f"{heads[device, firmware, site]}{fields} {time}")
    return lines


def small_plan(start: datetime = datetime(2025, 3, 8, tzinfo=UTC)) -> FleetPlan:
    """A fleet for tests: 6 devices, 12 hours, a point each minute."""
    return FleetPlan(start=start, devices=6, hours=12, step_seconds=60)
