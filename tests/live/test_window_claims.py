"""Purges and restores of one window at once: one is stopped before a step, the other runs to its end, then it goes on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError, PurgeRefused
from airflow_provider_influx_rollup.lifecycle.restore.restore import restore
from airflow_provider_influx_rollup.steps.influx import Delete
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import RUN
from tests.scenes.purge_scene import (
    DAY,
    PURGED_AT,
    WINDOW,
    PurgeScene,
    Stepper,
    as_facts,
    inside,
    make_purge_scene,
)

pytestmark = pytest.mark.live

NOW = PURGED_AT + timedelta(hours=1)
MAX_CUTS = 80
# the others are tried by `make soak`
CUTS = (17, 22, 25, 35)


def make_steps(scene: PurgeScene, verb: str) -> Any:
    """A purge, or a restore in place, of the window."""
    if verb == "purge":
        return scene.purge_steps(WINDOW, now=NOW)
    return restore(scene.restore_spec(), WINDOW, RUN, lambda: NOW)


def finish(stepper: Stepper) -> str:
    """Act a verb out; how it ended."""
    try:
        stepper.finish()
    except InfluxRollupError as error:
        return type(error).__name__
    return "ok"


def points_left(scene: PurgeScene) -> int:
    """Points of the window in the bucket."""
    return sum(WINDOW.start_ns <= fact[0] < WINDOW.stop_ns for fact in scene.facts())


def require_nothing_lost(scene: PurgeScene, tiers: Any, about: object) -> None:
    """The points are in the bucket, or archived and marked; reconcile and archive leave what was made of them."""
    if points_left(scene) < len(inside()):
        assert scene.mark_states() in (["purged"], ["deleting"]), about
        assert scene.purge_document()["state"] in ("done", "deleting"), about
    scene.reconcile(scene.hourly, WINDOW)
    scene.reconcile(scene.daily, DAY)
    assert scene.tiers().equals(tiers), about
    scene.clock = NOW + timedelta(hours=1)
    scene.archive()
    assert scene.filed() == as_facts(inside()), about


def run_cut(scene: PurgeScene, first: str, other: str, cut: int) -> bool:
    """One order of two verbs; whether the first has so many steps."""
    tiers = scene.tiers()
    stepper = Stepper(scene, make_steps(scene, first))
    if not stepper.advance_to(cut):
        return False
    ends = [finish(Stepper(scene, make_steps(scene, other))), finish(stepper)]
    about = (first, other, cut, ends, stepper.seen[-6:])
    require_nothing_lost(scene, tiers, about)
    if first == other == "purge":
        assert "ok" in ends, about
        assert set(ends) <= {"ok", "PurgeRefused"}, about
        assert (scene.mark_states(), scene.purge_document()["state"]) == (["purged"], "done"), about
        assert len(scene.certificates()) == 1, about
        again = scene.purge(now=NOW + timedelta(hours=2))
        assert [one["number"] for one in again["certificates"]] == [1], about
    # whatever came before, the two verbs do what they should when they are alone
    assert finish(Stepper(scene, make_steps(scene, "restore"))) == "ok", about
    assert (points_left(scene), scene.mark_states(), scene.purge_document()) == (
        len(inside()),
        ["lifted"],
        {},
    )
    return True


def test_archive_keeps_what_a_purge_that_hung_deletes_after_a_restore_and_dies(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path
) -> None:
    scene = make_purge_scene(influx, client, tmp_path)
    stepper = Stepper(scene, make_steps(scene, "purge"))
    while not isinstance(stepper.pending, Delete):
        assert stepper.advance()
    assert finish(Stepper(scene, make_steps(scene, "restore"))) == "ok"
    assert stepper.advance()  # the delete, and nothing after it
    assert (points_left(scene), scene.mark_states(), scene.purge_document()) == (0, ["lifted"], {})
    scene.clock = NOW + timedelta(hours=1)
    scene.archive()
    with pytest.raises(PurgeRefused, match="restore the window"):
        scene.purge(now=NOW + timedelta(hours=2))
    late = []
    # one after the other, and more of them than were deleted
    for count in (1, 1, len(inside())):
        late += [scene.land() for _ in range(count)]
        scene.clock += timedelta(hours=1)
        scene.archive()
        assert scene.filed() == as_facts([*inside(), *late])
    assert finish(Stepper(scene, make_steps(scene, "restore"))) == "ok"
    assert points_left(scene) == len(inside()) + len(late)
    # the next purge is whole; the run that died may as well hang, so that its file stays
    scene.purge(now=NOW + timedelta(days=2), require_pipelines=())
    assert [one.name for one in scene.folder.rglob("deletes/*")] == ["00000001"]


PAIRS = [("purge", "purge"), ("restore", "purge"), ("purge", "restore")]


@pytest.mark.parametrize(("first", "other"), PAIRS)
@pytest.mark.parametrize("cut", CUTS)
def test_window_without_points_has_its_mark_when_another_run_comes_in_between(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, first: str, other: str, cut: int
) -> None:
    assert run_cut(make_purge_scene(influx, client, tmp_path), first, other, cut) or first == "restore"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("first", "other"), PAIRS)
def test_window_without_points_has_its_mark_at_every_cut(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, first: str, other: str
) -> None:
    for cut in range(MAX_CUTS):
        scene = make_purge_scene(influx, client, tmp_path / str(cut))
        if not run_cut(scene, first, other, cut):
            assert cut > 15
            return
    pytest.fail("there are more steps than cuts")
