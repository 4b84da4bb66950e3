"""A window that is archived and rolled up in two tiers, and all that may happen while it is purged."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from airflow_provider_influx_rollup.client.driver import act, drive
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.purge.purge import purge
from airflow_provider_influx_rollup.lifecycle.purge.spec import PurgeSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Step
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.oracle import query, read_target
from tests.scenes.archive_scene import RUN, WINDOW, ArchiveScene, Point, make_archive_scene, point
from tests.scenes.sent_flux import kind_of

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from tests.conftest import InfluxServer

ARCHIVED_AT = datetime(2026, 1, 1, tzinfo=UTC)
PURGED_AT = ARCHIVED_AT + timedelta(days=2)
DAY = Interval(WINDOW.start, WINDOW.start + timedelta(days=1))
SECOND = 10**9
HOUR = 3600 * SECOND
ALWAYS = "range(start: 1970-01-01T00:00:00Z, stop: 2100-01-01T00:00:00Z)"
OTHER = "other"
Fact = tuple[int, tuple[tuple[str, str], ...], str, Any]


def inside() -> list[Point]:
    """Points of the window, at both its edges too."""
    return [
        point(0, {"device": "a"}, "temp", 1.5),
        point(HOUR // 2, {"device": "a"}, "temp", 2.5),
        point(HOUR - 1, {"device": "b"}, "temp", 3.5),
        point(7, {"device": "b"}, "state", "ok"),
    ]


def outside() -> list[Point]:
    """Points of the same series one nanosecond before and after it."""
    return [
        point(-1, {"device": "a"}, "temp", 10.0),
        point(-1, {"device": "b"}, "state", "before"),
        point(HOUR, {"device": "b"}, "temp", 11.0),
    ]


@dataclass
class PurgeScene(ArchiveScene):
    """Raw points, their archive, an hourly tier of them and a daily one of that.

    :param points: all that the test has ever written
    """

    rolled: str = ""
    points: list[Point] = field(default_factory=list)

    @property
    def hourly(self) -> RollupSpec:
        """The lower tier."""
        return RollupSpec(
            source_bucket=self.bucket,
            target_bucket=self.rolled,
            measurement=self.measurement,
            grid=GridSpec("1h"),
            aggregates={"temp": ("count", "sum")},
            pipeline="hourly",
            ledger_bucket=self.ledger,
        )

    @property
    def daily(self) -> RollupSpec:
        """The tier above."""
        return RollupSpec(
            source_bucket=self.rolled,
            target_bucket=self.rolled,
            measurement=self.measurement,
            grid=GridSpec("1d"),
            aggregates={"temp": ("count", "sum")},
            target_measurement="m_daily",
            pipeline="daily",
            source_tier="hourly",
            ledger_bucket=self.ledger,
        )

    @property
    def purge_spec(self) -> PurgeSpec:
        """What is purged."""
        return PurgeSpec(
            archive=self.spec, require_pipelines=("hourly", "daily"), min_age="30d", quiet_for="1d"
        )

    def add(self, *points: Point) -> None:
        """Write points, and remember them."""
        self.write(points)
        self.points += points

    def land(self) -> Point:
        """A late point of the window, at a time of its own."""
        late = point(9 * SECOND + len(self.points), {"device": "late"}, "temp", float(len(self.points)))
        self.add(late)
        return late

    def prepare(self) -> None:
        """Write, roll up and archive."""
        self.add(*inside(), *outside())
        self.client.write_payload(self.bucket, f"{OTHER},device=a temp=99 {WINDOW.start_ns}".encode())
        self.roll(self.hourly, DAY)
        self.roll(self.daily, DAY)
        self.clock = ARCHIVED_AT
        self.archive()

    def roll(self, spec: RollupSpec, interval: Interval, **options: Any) -> dict[str, Any]:
        """Roll up."""
        steps = roll_up(spec, interval, RUN, lambda: ARCHIVED_AT, options=RollupOptions(**options))
        return drive(steps, self.client, self.tell).as_json()

    def reconcile(self, spec: RollupSpec, interval: Interval) -> dict[str, Any]:
        """Reconcile, and repair."""
        return drive(reconcile(spec, interval, RUN, lambda: PURGED_AT), self.client, self.tell).as_json()

    def purge_steps(self, *windows: Interval, now: datetime = PURGED_AT, **changes: Any) -> Any:
        """The verb; changes are those of the spec, ``dry_run`` and ``key``."""
        more = {name: changes.pop(name) for name in ("dry_run", "key") if name in changes}
        spec = replace(self.purge_spec, **changes)
        return purge(spec, windows or (WINDOW,), RUN, lambda: now, **more)

    def purge(self, *windows: Interval, **changes: Any) -> dict[str, Any]:
        """Purge as the operator does."""
        steps = self.purge_steps(*windows, **changes)
        return dict(drive(steps, self.client, self.tell, actions_with(self.store)).as_json())

    def facts(self, measurement: str = "") -> set[Fact]:
        """All points of the bucket, read without the product."""
        flux = f'from(bucket: "{self.bucket}") |> {ALWAYS} |> filter(fn: (r) => r._measurement == "{measurement or self.measurement}")'
        rows = query(self.server.url, self.server.org, self.server.token, flux)
        return {
            (
                pd.Timestamp(row["_time"]).value,
                (("device", row["device"]),),
                row["_field"],
                row["_value"],
            )
            for row in rows
        }

    def tiers(self, *, daily: bool = True) -> pd.DataFrame:
        """What is made of the points."""
        server = self.server
        times = ("1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z")
        frames = [
            read_target(server.url, server.org, server.token, self.rolled, name, *times)
            for name in (self.measurement, *(["m_daily"] if daily else []))
        ]
        return pd.concat(frames, ignore_index=True).sort_values(
            ["_time", "_field", "device"], ignore_index=True
        )

    def filed(self, window: Interval = WINDOW) -> set[Fact]:
        """What the newest generation of a window holds, or nothing."""
        if not self.manifests(window):
            return set()
        return {
            (when, tags, name, struct.unpack("<d", value)[0] if kind == "float" else value)
            for when, tags, name, kind, value in self.stored(window)
        }

    def require_chain(self) -> None:
        """Each certificate names the hash of the file before it."""
        # a killed worker may leave a part of one
        paths = sorted(self.folder.glob("certificates/*.json"))
        before = ""
        for number, path in enumerate(paths, start=1):
            values = json.loads(path.read_bytes())
            assert (values["number"], values["previous"]) == (
                number,
                {"number": number - 1, "sha256": before},
            )
            before = hashlib.sha256(path.read_bytes()).hexdigest()

    def purge_document(self) -> dict[str, Any]:
        """The state beside the archive, empty when there is none."""
        found = list(self.folder.glob("window=*/purge.json"))
        return json.loads(found[0].read_bytes()) if found else {}

    def certificates(self) -> list[dict[str, Any]]:
        """All of the measurement, in order."""
        return [json.loads(path.read_bytes()) for path in sorted(self.folder.glob("certificates/*"))]

    def ledger_rows(self, measurement: str, name: str) -> list[Any]:
        """Values of a field of the ledger."""
        flux = f"""from(bucket: "{self.ledger}") |> {ALWAYS}
            |> filter(fn: (r) => r._measurement == "{measurement}" and r._field == "{name}")"""
        return [row["_value"] for row in query(self.server.url, self.server.org, self.server.token, flux)]

    def mark_states(self) -> list[str]:
        """States of the marks in the ledger."""
        return self.ledger_rows("purged_window", "state")


class Stepper:
    """Acts a purge's steps out one by one.

    :param seen: the names of the steps so far, acted out or not
    """

    def __init__(self, scene: PurgeScene, steps: Any) -> None:
        self.scene = scene
        self.steps = steps
        self.seen: list[str] = []
        self.pending: Step | None = None
        self._actions = actions_with(scene.store)
        self._next(lambda: next(steps))

    def advance(self) -> bool:
        """Act the next step out; False when the verb has ended. Errors of the verb come out."""
        step = self.pending
        if step is None:
            return False
        if isinstance(step, Report):
            self.scene.tell(step)
            answer = None
        else:
            answer = act(step, self.scene.client, self._actions)
        return self._next(lambda: self.steps.send(answer))

    def fail(self, error: Exception) -> None:
        """Let the next step end with an error, which comes out again when the verb does not take it."""
        self._next(lambda: self.steps.throw(error))

    def advance_to(self, boundary: int) -> bool:
        """Act so many steps out; False when the verb has fewer."""
        return all(self.advance() for _ in range(boundary))

    def finish(self) -> None:
        """Act all the others out."""
        while self.advance():
            pass

    def _next(self, step: Callable[[], Step]) -> bool:
        try:
            self.pending = step()
        except StopIteration:
            self.pending = None
            return False
        self.seen.append(kind_of(self.pending))
        return True


def as_facts(points: Iterable[Point]) -> set[Fact]:
    """As ``PurgeScene.facts`` reads them."""
    return {(one.time_ns, one.tags, one.field, one.value) for one in points}


def make_empty_scene(server: InfluxServer, client: InfluxClient, base: Path) -> PurgeScene:
    """Fresh buckets and a fresh folder."""
    made = make_archive_scene(server, client, base)
    scene = PurgeScene(server, client, made.base, made.bucket, made.ledger, rolled=f"{made.bucket}_rolled")
    client.ensure_bucket(scene.rolled)
    return scene


def make_purge_scene(server: InfluxServer, client: InfluxClient, base: Path) -> PurgeScene:
    """One window that is ready to be purged."""
    scene = make_empty_scene(server, client, base)
    scene.prepare()
    return scene


def hours_of(count: int) -> list[Interval]:
    """So many hours, the first of which is the window."""
    starts = [WINDOW.start + timedelta(hours=number) for number in range(count)]
    return [Interval(start, start + timedelta(hours=1)) for start in starts]


def make_hours_scene(server: InfluxServer, client: InfluxClient, base: Path, count: int) -> PurgeScene:
    """So many hours with points at both edges, all archived and rolled up by the hour."""
    scene = make_empty_scene(server, client, base)
    hours = hours_of(count)
    for number in range(count):
        begin = number * HOUR
        scene.points += [
            point(begin, {"device": "a"}, "temp", float(number)),
            point(begin + 5, {"device": "b"}, "state", f"ok {number}"),
            point(begin + HOUR - 1, {"device": "b"}, "temp", 0.5 + number),
        ]
    scene.write(scene.points)
    scene.roll(scene.hourly, Interval(hours[0].start, hours[-1].stop))
    scene.clock = ARCHIVED_AT
    scene.archive(*hours)
    return scene


def purge_all(scene: ArchiveScene) -> dict[str, Any]:
    """Purge the window of a scene that has no pipelines."""
    steps = purge(
        PurgeSpec(archive=scene.spec, require_pipelines=(), min_age="0s", quiet_for="0s"),
        [WINDOW],
        RUN,
        scene.now,
    )
    return drive(steps, scene.client, scene.tell, actions_with(scene.store)).as_json()
