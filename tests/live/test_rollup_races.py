"""Points that land, and runs that die, between any two steps of a rollup."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.driver import act
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import SourceChanging, WindowsFailed
from airflow_provider_influx_rollup.flux.query import ArrowQuery
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.steps.influx import Gather, Report
from airflow_provider_influx_rollup.steps.step import Step
from tests.conftest import InfluxServer
from tests.oracle import compare, rollup, windows
from tests.scenes.cuts import cut, may_change, touches
from tests.scenes.rollup_runs import RUN, TAGS, Place, encode, interval, make_place, make_points, now, roll
from tests.scenes.sent_flux import flux_of

pytestmark = pytest.mark.live

SPAN = interval("2025-03-08", "2025-03-08T02:00")
NUMBERS = itertools.count()
MAX_STEPS = 60


@dataclass(frozen=True)
class Path:
    """One way through the rollup: what is asked, and whether the target holds ghosts before."""

    rules: dict[str, tuple[str, ...]]
    grid: GridSpec = field(default_factory=lambda: GridSpec("1h"))
    more: dict[str, Any] = field(default_factory=dict)
    has_ghosts: bool = False

    @property
    def spans(self) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
        """Its windows, for the oracle."""
        return windows("2025-03-08", "2025-03-08T02:00", "1h", self.grid.period)


PUSHED = {"temp": ("count", "mean", "last"), "packets": ("sum", "max")}
PATHS = {
    "pushed": Path(PUSHED),
    "raw points": Path({"temp": ("median", "stddev"), "packets": ("spread", "distinct")}),
    "partial": Path({"temp": ("sum", "last")}, GridSpec("1h", period="2h"), {"group_by": ("site",)}),
    "all ways": Path({"temp": ("count", "sum"), "packets": ("p99", "count")}),
    "ghosts": Path({"temp": ("count", "sum", "last")}, has_ghosts=True),
    "ghosts, worker": Path({"temp": ("p99", "count")}, has_ghosts=True),
}


@dataclass
class Scene:
    """A source that gets another point whenever the test says so, and a fresh target."""

    place: Place
    points: pd.DataFrame
    path: Path
    target: str

    @property
    def spec(self) -> RollupSpec:
        """The rollup."""
        place, path = self.place, self.path
        return place.spec(
            path.grid, path.rules, target_measurement=self.target, pipeline=self.target, **path.more
        )

    def land_a_point(self) -> None:
        """A new point comes: in the first window, at a time of its own."""
        number = next(NUMBERS)
        moment = pd.Timestamp("2025-03-08T00:31", tz="UTC") + pd.Timedelta(microseconds=number)
        row = self.points.iloc[[0]].assign(
            _time=moment, temp=100.0 + number, packets=pd.array([number], "Int64")
        )
        self.points = pd.concat([self.points, row], ignore_index=True)
        self.place.client.write_lines(
            self.place.source, encode(row, self.place.measurement, ("temp", "packets"))
        )

    def haunt(self) -> None:
        """A series that the source never had, and a field of another pipeline in the same point."""
        if self.path.has_ghosts:
            line = f'{self.target},device=ghost temp_count=9i,temp_kept="theirs" {SPAN.start_ns}'
            self.place.client.write_lines(self.place.target, [line])

    def expected(self, points: pd.DataFrame) -> pd.DataFrame:
        """What the target must hold for these points."""
        group_by = self.path.more.get("group_by")
        return rollup(points, TAGS, self.path.spans, self.path.rules, list(group_by) if group_by else None)

    def differences(self, points: pd.DataFrame, *, planted_too: bool = True) -> list[str]:
        """What differs in the target, but for the field of the other pipeline and, if wished, the planted ghost."""
        stored = self.place.stored(self.target)
        if not planted_too and "device" in stored:
            stored = stored[stored["device"] != "ghost"]
        return compare(stored[stored["_field"] != "temp_kept"], self.expected(points))

    def has_kept_field(self) -> bool:
        """Whether the other pipeline's field is there."""
        return "temp_kept" in self.place.stored(self.target)["_field"].tolist()

    def states(self) -> set[str]:
        """States of the windows in the ledger."""
        return set(self.place.states(self.target).values())


class Stepper:
    """Acts a verb's steps out one by one."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.steps = roll_up(scene.spec, SPAN, RUN, now)
        self.pending: Step | None = next(self.steps)
        self.read_source: list[bool] = []

    def run_to_the_end(self, between: Callable[[], object] = lambda: None) -> None:
        """Act all the other steps out."""
        while self.advance():
            between()

    def advance(self) -> bool:
        """Act the next step out; False when the verb has ended."""
        if self.pending is None:
            return False
        step = self.pending
        self.read_source.append(reads(step, self.scene.place.source))
        try:
            answer = None if isinstance(step, Report) else act(step, self.scene.place.client)
            self.pending = self.steps.send(answer)
        except StopIteration:
            self.pending = None
        return self.pending is not None


def reads(step: Step, bucket: str) -> bool:
    """Whether a step reads a bucket."""
    if isinstance(step, Gather):
        return any(reads(inner, bucket) for inner in step.steps)
    return f'from(bucket: "{bucket}")' in flux_of(step)


def scenes(source: tuple[Place, pd.DataFrame], path: Path) -> Iterator[Scene]:
    """One fresh scene after another, over the same source with all the points that landed in it."""
    place, points = source
    while True:
        scene = Scene(place, points, path, f"target_{next(NUMBERS)}")
        if path.has_ghosts:
            # only what a pipeline has written before can be a ghost of it
            roll(place.client, scene.spec, SPAN)
        scene.haunt()
        yield scene
        points = scene.points


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest) -> Path:
    return PATHS[request.param]


@pytest.fixture
def some_scenes(influx: InfluxServer, client: InfluxClient, path: Path) -> Iterator[Scene]:
    place = make_place(influx, client)
    points = make_points("2025-03-07T23:00", "2025-03-08T02:00", 900)
    place.write(points, ("temp", "packets"))
    return scenes((place, points), path)


def test_no_torn_window_is_committed_when_a_point_lands_between_any_two_steps(
    some_scenes: Iterator[Scene],
) -> None:
    ran_anew = 0
    for boundary in range(MAX_STEPS):
        scene = next(some_scenes)
        before = scene.points
        stepper = Stepper(scene)
        if not cut(stepper, lambda step, source=scene.place.source: touches(step, source), boundary):
            break
        acted = len(stepper.read_source)
        scene.land_a_point()
        stepper.run_to_the_end()
        is_seen = any(stepper.read_source[acted:])
        assert scene.states() == {"COMMITTED"}, boundary
        assert scene.differences(scene.points if is_seen else before) == [], boundary
        assert scene.has_kept_field() == scene.path.has_ghosts
        ran_anew += not is_seen
        if not is_seen:
            roll(scene.place.client, scene.spec, SPAN)
            assert scene.differences(scene.points) == [], boundary
    assert 3 < boundary < MAX_STEPS - 1, boundary
    assert 0 < ran_anew < boundary


def test_rollup_gives_up_the_window_when_its_points_never_stop_coming(some_scenes: Iterator[Scene]) -> None:
    scene = next(some_scenes)
    stepper = Stepper(scene)
    # the points land in the first window only; sliding windows share them
    is_shared = scene.path.grid.period is not None
    with pytest.raises(SourceChanging if is_shared else WindowsFailed, match="kept changing") as caught:
        stepper.run_to_the_end(between=scene.land_a_point)
    assert not caught.value.permanent
    assert scene.states() == ({"WRITING"} if is_shared else {"WRITING", "COMMITTED"})
    roll(scene.place.client, scene.spec, SPAN)
    assert scene.differences(scene.points) == []
    assert scene.states() == {"COMMITTED"}


def test_rerun_is_right_and_no_torn_window_was_committed_when_a_run_dies_between_any_two_steps(
    some_scenes: Iterator[Scene],
) -> None:
    torn = 0
    for boundary in range(MAX_STEPS):
        scene = next(some_scenes)
        before = scene.points
        roll(scene.place.client, scene.spec, SPAN)
        scene.land_a_point()
        scene.haunt()
        stepper = Stepper(scene)
        if not cut(stepper, may_change, boundary):
            break
        stepper.steps.close()
        if scene.states() == {"COMMITTED"}:
            is_done = stepper.pending is None
            points = scene.points if is_done else before
            assert scene.differences(points, planted_too=is_done) == [], boundary
        else:
            assert scene.states() == {"WRITING"}, boundary
            torn += 1
        roll(scene.place.client, scene.spec, SPAN)
        assert scene.differences(scene.points) == [], boundary
        assert scene.has_kept_field() == scene.path.has_ghosts, boundary
        assert scene.states() == {"COMMITTED"}
    assert 3 < boundary < MAX_STEPS - 1, boundary
    assert torn > 1


TORN = {
    "pushed": Path({"temp": ("count", "sum", "max")}),
    "partial": Path({"temp": ("count", "sum", "max")}, more={"group_by": ("site",)}),
}


@pytest.mark.parametrize("path", TORN.values(), ids=TORN)
def test_no_torn_window_is_committed_when_a_point_lands_between_two_chains_of_one_query(
    some_scenes: Iterator[Scene],
) -> None:
    """The server runs the chains of a query in any order; here the count comes last, with the new point in it."""
    scene = next(some_scenes)
    stepper = Stepper(scene)
    landed = False
    while stepper.pending is not None:
        chains = chains_of(stepper.pending, scene.place.source)
        if landed or len(chains) < 3:
            stepper.advance()
            continue
        counts = [chain for chain in chains if is_count(chain)]
        query = scene.place.client.query_arrow
        tables = [table for chain in chains if chain not in counts for table in query(chain)]
        scene.land_a_point()
        landed = True
        tables += [table for chain in counts for table in query(chain)]
        stepper.pending = stepper.steps.send(stepper.pending.read(tables))
    assert landed
    assert scene.states() == {"COMMITTED"}
    assert scene.differences(scene.points) == []


def chains_of(step: Step, bucket: str) -> list[str]:
    """The chains of a step that computes from a bucket, each as a query of its own."""
    if not isinstance(step, ArrowQuery) or not reads(step, bucket):
        return []
    head, *chains = step.flux().split("from(bucket: ")
    return [f"{head}from(bucket: {chain}" for chain in chains]


def is_count(chain: str) -> bool:
    """Whether a chain counts."""
    return "fn: count" in chain or "|> count()" in chain
