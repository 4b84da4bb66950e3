"""Small rollups of every way through the code, in a state that a fault can tear, and what must be true after it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client import retry
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from tests.conftest import InfluxServer
from tests.oracle import compare, query, rollup, windows
from tests.scenes.rollup_runs import TAGS, Place, interval, make_place, make_points, roll

START, STOP = "2025-03-08", "2025-03-08T03:00"
SPAN = interval(START, STOP)
FIELDS = ("temp", "packets")
NUMBERS = itertools.count()
ALWAYS = "range(start: 1970-01-01T00:00:00Z, stop: 2100-01-01T00:00:00Z)"
POINTS = make_points("2025-03-07T23:00", STOP, 900)
GONE = "b 1"


@dataclass(frozen=True)
class Path:
    """One way through the rollup.

    :param has_ghosts: a series leaves the source after the first run, and another pipeline's field is at its points
    """

    rules: dict[str, tuple[str, ...]]
    grid: GridSpec = field(default_factory=lambda: GridSpec("1h"))
    more: dict[str, Any] = field(default_factory=dict)
    has_ghosts: bool = False


PATHS = {
    "pushed": Path({"temp": ("count", "mean", "last"), "packets": ("count", "sum", "max")}),
    "worker": Path({"temp": ("median", "stddev"), "packets": ("spread", "distinct")}),
    "sliding": Path({"temp": ("mean", "last"), "packets": ("sum",)}, GridSpec("1h", period="2h")),
    "merged": Path({"temp": ("sum", "last"), "packets": ("count",)}, more={"group_by": ("site",)}),
    "ghosts": Path({"temp": ("count", "sum", "last")}, has_ghosts=True),
    "ghosts and worker": Path({"temp": ("p99", "count"), "packets": ("sum",)}, has_ghosts=True),
}


@dataclass
class Scene:
    """A source that changed after its windows were committed: a rerun has to replace, add and delete rows.

    :param before: the points of the first run
    :param after: the points that are there now
    """

    place: Place
    path: Path
    before: pd.DataFrame
    after: pd.DataFrame

    @property
    def spec(self) -> RollupSpec:
        """The rollup."""
        path, name = self.path, self.place.measurement
        return self.place.spec(path.grid, path.rules, pipeline=name, **path.more)

    def expected(self, points: pd.DataFrame) -> pd.DataFrame:
        """What the target must hold for these points."""
        spans = windows(START, STOP, "1h", self.path.grid.period)
        group_by = self.path.more.get("group_by")
        return rollup(points, TAGS, spans, self.path.rules, list(group_by) if group_by else None)

    def stored(self) -> pd.DataFrame:
        """What the target holds of this pipeline."""
        stored = self.place.stored()
        return stored[stored["_field"] != "temp_kept"]

    def differences(self) -> list[str]:
        """What is not as it must be after a whole run; empty when all is right."""
        found = compare(self.stored(), self.expected(self.after))
        receipts = self.receipts()
        if len(receipts) != 3 or any(state != "COMMITTED" for state, _ in receipts.values()):
            found.append(f"not all is committed: {receipts}")
        if self.count_kept() != (1 if self.path.has_ghosts else 0):
            found.append(f"{self.count_kept()} values of the other pipeline")
        return found

    def torn(self) -> list[str]:
        """What differs in windows that the ledger says are COMMITTED."""
        stored, found = self.stored(), []
        expected = [self.expected(self.before), self.expected(self.after)]
        for start, (state, generation) in self.receipts().items():
            if state == "COMMITTED":
                right = expected[min(generation, 2) - 1]
                found += compare(stored[stored["_time"] == start], right[right["_time"] == start])
        return found

    def receipts(self) -> dict[int, tuple[str, int]]:
        """State and generation of each window, by its start in ns, read without the product."""
        rows: dict[int, dict[str, Any]] = {}
        for row in self._query(
            f"""from(bucket: "{self.place.ledger}") |> {ALWAYS}
            |> filter(fn: (r) => r._measurement == "window_receipt" and r.pipeline == "{self.place.measurement}")
            |> filter(fn: (r) => r._field == "state" or r._field == "generation")"""
        ):
            rows.setdefault(row["_time"], {})[row["_field"]] = row["_value"]
        return {start: (row["state"], int(row["generation"])) for start, row in rows.items()}

    def count_kept(self) -> int:
        """How many values of the other pipeline are there."""
        return int((self.place.stored()["_field"] == "temp_kept").sum())

    def _query(self, flux: str) -> list[dict[str, Any]]:
        server = self.place.server
        return query(server.url, server.org, server.token, flux)


def make_scene(place: Place, path: Path) -> Scene:
    """A measurement of its own, rolled up once; then late points, and a series that goes away."""
    place = replace(place, measurement=f"readings_{next(NUMBERS)}")
    scene = Scene(place, path, POINTS, POINTS)
    place.write(POINTS, FIELDS)
    roll(place.client, scene.spec, SPAN)
    late = POINTS.iloc[::5].assign(_time=POINTS.iloc[::5]["_time"] + pd.Timedelta("61s"))
    late["temp"] = late["temp"].fillna(0.0) + 100.0
    scene.after = pd.concat([POINTS, late], ignore_index=True)
    place.write(late, FIELDS)
    if path.has_ghosts:
        place.client.delete(place.source, interval("2025-01-01", "2026-01-01"), gone_predicate(place))
        scene.after = scene.after[scene.after["device"] != GONE].reset_index(drop=True)
        kept = f'{place.measurement},device={GONE.replace(" ", chr(92) + " ")} temp_kept="theirs" {SPAN.start_ns}'
        place.client.write_lines(place.target, [kept])
    return scene


def gone_predicate(place: Place) -> str:
    """The points of the series that goes away."""
    return f'_measurement="{place.measurement}" AND device="{GONE}"'


def connect(server: InfluxServer, url: str, **options: Any) -> InfluxClient:
    """A client of the server through a proxy."""
    settings = {"gzip": False, "deadline_seconds": 30.0, "token": lambda _: server.token, **options}
    return InfluxClient(ClientSettings(url=url, org=server.org, **settings))


@contextmanager
def quick_retries() -> Iterator[None]:
    """Wait less between tries: there are thousands of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retry, "BASE_SECONDS", 0.002)
        patch.setattr(retry, "CAP_SECONDS", 0.05)
        yield


def make_scenes(server: InfluxServer, client: InfluxClient) -> Callable[[Path], Scene]:
    """Makes scenes in three fresh buckets."""
    place = make_place(server, client)
    return lambda path: make_scene(place, path)
