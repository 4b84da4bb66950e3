"""A run that has read points and hangs while their series are erased: nothing of them is anywhere when both have ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError, SourceChanging
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.rollup_script.rollup_script import ScriptSpec, roll_up_by_script
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.steps.influx import Gather, Write
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.oracle import query
from tests.scenes.archive_scene import RUN, WINDOW, Point, point
from tests.scenes.erase_scene import CUSTOMER, EraseScene, Going, make_erase_scene
from tests.scenes.purge_scene import ALWAYS, ARCHIVED_AT, DAY, HOUR
from tests.scenes.rename_scene import delete_bucket

pytestmark = pytest.mark.live

STAYS = [
    point(5, {"customer": "7", "device": "a"}, "temp", 0.5),
    point(HOUR - 1, {"customer": "7", "device": "b"}, "temp", 1.5),
]
GOES = [
    point(6, {**CUSTOMER, "device": "a"}, "temp", 2.5),
    point(7, {**CUSTOMER, "device": "b"}, "temp", 4.5),
]
# a run that is older than 15 minutes may be dead
TRIED_AFTER = (timedelta(minutes=1), timedelta(minutes=16), timedelta(minutes=17))
MAX_CUTS = 180
# the others are tried by `make soak`
FEW = [("reconcile", 8), ("script", 10)]
# where the points are read, and their rows are not written yet, or not committed
AFTER_READ = [("rollup", 6), ("merged", 6)]
Rows = Mapping[tuple[str, str, str], float]


def merged(scene: EraseScene) -> RollupSpec:
    """All customers together."""
    return replace(scene.hourly, pipeline="merged", target_measurement="m_all", group_by=("device",))


def inside(scene: EraseScene) -> RollupSpec:
    """Computed and written by InfluxDB."""
    return replace(scene.hourly, pipeline="inside", target_measurement="m_inside", compute="server")


def own(scene: EraseScene) -> ScriptSpec:
    """A script, which reads and writes at once."""
    script = f"""from(bucket: "{scene.bucket}") |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "m") |> sum()
  |> map(fn: (r) => ({{r with _time: v.timeRangeStart, _measurement: "m_own", _field: "temp_sum"}}))
  |> to(bucket: "{scene.rolled}")"""
    return ScriptSpec(
        script=script,
        target_bucket=scene.rolled,
        grid=GridSpec("1h"),
        ledger_bucket=scene.ledger,
        pipeline="own",
    )


def rolled_up(spec: RollupSpec, window: Interval = WINDOW) -> Any:
    """The steps of a rollup."""
    return roll_up(spec, window, RUN, lambda: ARCHIVED_AT, options=RollupOptions())


def repaired(scene: EraseScene) -> Any:
    """The steps of a reconcile that has something to repair."""
    first = Interval(WINDOW.start, WINDOW.start + timedelta(microseconds=1))
    scene.client.delete(scene.rolled, first, '_measurement="m" AND device="b"')
    return reconcile(scene.hourly, WINDOW, RUN, lambda: ARCHIVED_AT)


STRAGGLERS: dict[str, Callable[[EraseScene], Any]] = {
    "rollup": lambda scene: rolled_up(scene.hourly),
    "merged": lambda scene: rolled_up(merged(scene)),
    "tier": lambda scene: rolled_up(scene.daily, DAY),
    "inside": lambda scene: rolled_up(inside(scene)),
    "reconcile": repaired,
    "script": lambda scene: roll_up_by_script(own(scene), WINDOW, RUN, lambda: ARCHIVED_AT),
}


def pipelines(scene: EraseScene) -> list[tuple[RollupSpec, Interval]]:
    """Each with windows that it has, lower ones first."""
    return [(scene.hourly, DAY), (merged(scene), WINDOW), (scene.daily, DAY), (inside(scene), WINDOW)]


def make_scene(influx: InfluxServer, client: InfluxClient, base: Path) -> EraseScene:
    """Two customers, rolled up in each way."""
    scene = make_erase_scene(influx, client, base)
    scene.add(*STAYS, *GOES)
    for spec, window in pipelines(scene):
        scene.roll(spec, window)
    assert rows(scene, "m_all") == sums([*STAYS, *GOES], "device")
    return scene


def rows(scene: EraseScene, measurement: str) -> Rows:
    """The sums of a target, by customer and device."""
    found = {}
    for _, tags, field, value in scene.rows(scene.rolled, measurement):
        known = dict(tags)
        found[known.get("customer", ""), known.get("device", ""), field] = value
    return {key: value for key, value in found.items() if key[2] == "temp_sum"}


def sums(points: list[Point], *keys: str) -> Rows:
    """What the points give, by plain Python."""
    found: dict[tuple[str, str, str], float] = defaultdict(float)
    for one in points:
        tags = {key: value for key, value in one.tags if key in keys}
        found[tags.get("customer", ""), tags.get("device", ""), "temp_sum"] += one.value
    return dict(found)


def ended(steps: Going) -> str:
    """How a verb ended."""
    try:
        steps.finish()
    except InfluxRollupError as error:
        return f"{type(error).__name__}: {error}"
    return "ok"


def erased(scene: EraseScene, tries: int = len(TRIED_AFTER)) -> list[str]:
    """How an erasure ended each time that it was tried, up to the certificate."""
    ends = []
    for after in TRIED_AFTER[:tries]:
        ends.append(ended(Going(scene, scene.erase_steps(now=ARCHIVED_AT + after, require_archive=False))))
        if ends[-1] == "ok":
            break
    return ends


def require_nothing_left(scene: EraseScene, about: object) -> None:
    """Whatever was made of the points is made of those that stay, and what is not COMMITTED is again after a reconcile."""
    assert len(scene.erase_certificates()) >= 1, about
    stays = sums(STAYS, "customer", "device")
    for name in ("m", "m_daily", "m_inside"):
        assert rows(scene, name).items() <= stays.items(), (name, rows(scene, name), about)
    assert rows(scene, "m_all") == sums(STAYS, "device"), about
    for spec, window in pipelines(scene):
        scene.reconcile(spec, window)
    for name in ("m", "m_daily", "m_inside"):
        assert rows(scene, name) == stays, (name, about)
    if ("42", "a", "temp_sum") in rows(scene, "m_own"):
        # nobody but the script can make these right, and it is to be run again
        assert "own" in scene.erase_certificates()[-1]["kept"], about
        assert state(scene, "own") == "WRITING", about


def state(scene: EraseScene, pipeline: str) -> str:
    """What the ledger says of the window: a commit by another claim than the last one does not count."""
    flux = f"""from(bucket: "{scene.ledger}") |> {ALWAYS}
        |> filter(fn: (r) => r._measurement == "window_receipt" and r.pipeline == "{pipeline}")
        |> filter(fn: (r) => r._field == "state" or r._field == "claimed_by" or r._field == "committed_by")
        |> toString()"""
    server = scene.server
    found = query(server.url, server.org, server.token, flux)
    said = {row["_field"]: row["_value"] for row in found if row["_time"] == WINDOW.start_ns}
    return str(said["state"]) if said["claimed_by"] == said.get("committed_by") else "WRITING"


def run_cut(scene: EraseScene, verb: str, cut: int, erasure_cut: int | None = None) -> bool:
    """A straggler that hangs before a step, while the erasure goes on to its end or as far as before one of its own."""
    straggler = Going(scene, STRAGGLERS[verb](scene))
    if not straggler.advance_to(cut) or straggler.pending is None:
        return False
    if erasure_cut is None:
        ends = erased(scene)
        ends.append(ended(straggler))
    else:
        erasure = Going(scene, scene.erase_steps(now=ARCHIVED_AT + TRIED_AFTER[0], require_archive=False))
        try:
            is_reached = erasure.advance_to(erasure_cut)
        except SourceChanging:
            # it has found the straggler, and ends
            is_reached = False
        if not is_reached or erasure.pending is None:
            return False
        ends = [ended(straggler), ended(erasure)]
        if ends[-1] != "ok":
            ends += erased(scene)
    require_nothing_left(scene, (verb, cut, erasure_cut, straggler.seen[-5:], ends))
    return True


def run_hanging_write(scene: EraseScene, verb: str, tries: int) -> None:
    """A straggler whose write hangs, while all that it asks beside is answered and an erasure is tried so many times."""
    straggler = Going(scene, STRAGGLERS[verb](scene))
    while not (isinstance(straggler.pending, Gather) and is_write_of_rows(scene, straggler.pending)):
        assert straggler.advance()
    ends: list[str] = []
    straggler.answer_last(Write, lambda: ends.extend(erased(scene, tries)))
    # taken for dead by a second look at it
    assert ("ok" in ends) is (tries == len(TRIED_AFTER)), ends
    ends += [ended(straggler), *([] if "ok" in ends else erased(scene))]
    require_nothing_left(scene, (verb, "a write that hangs", ends))


def is_write_of_rows(scene: EraseScene, step: Gather[Any]) -> bool:
    """Whether rows of the target are written."""
    return any(isinstance(one, Write) and one.bucket == scene.rolled for one in step.steps)


@pytest.mark.parametrize(("verb", "cut"), FEW)
def test_nothing_of_erased_points_is_left_when_a_run_that_had_read_them_goes_on(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, verb: str, cut: int
) -> None:
    assert run_cut(make_scene(influx, client, tmp_path), verb, cut)


@pytest.mark.parametrize(("verb", "tries"), [("merged", 1), ("rollup", 3), ("merged", 3)])
def test_nothing_of_erased_points_is_left_when_a_write_of_rows_hangs(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, verb: str, tries: int
) -> None:
    run_hanging_write(make_scene(influx, client, tmp_path), verb, tries)


def try_cut(influx: InfluxServer, client: InfluxClient, base: Path, verb: str, *cuts: int) -> bool:
    """A scene of its own for one order, whose buckets are gone after it."""
    scene = make_scene(influx, client, base / "_".join(map(str, cuts)))
    is_reached = run_cut(scene, verb, *cuts)
    for bucket in (scene.bucket, scene.rolled, scene.ledger):
        delete_bucket(influx, bucket)
    return is_reached


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("verb", STRAGGLERS)
def test_nothing_of_erased_points_is_left_at_every_cut(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, verb: str
) -> None:
    for cut in range(MAX_CUTS):
        if not try_cut(influx, client, tmp_path, verb, cut):
            assert cut > 5
            return
    pytest.fail("there are more steps than cuts")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("verb", "cut"), AFTER_READ)
def test_nothing_of_erased_points_is_left_at_every_cut_of_the_erasure(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, verb: str, cut: int
) -> None:
    for erasure_cut in range(MAX_CUTS):
        if not try_cut(influx, client, tmp_path, verb, cut, erasure_cut):
            assert erasure_cut > 15
            return
    pytest.fail("there are more steps than cuts")
