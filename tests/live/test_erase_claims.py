"""Erasures beside purges and restores of one window: one is stopped before a step, the other runs, then it goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.lifecycle.restore.restore import restore
from airflow_provider_influx_rollup.stores.actions import actions_with
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import RUN, WINDOW, facts_of, point
from tests.scenes.erase_scene import CUSTOMER, ERASED_AT, EraseScene, Going, make_erase_scene, without
from tests.scenes.purge_scene import ARCHIVED_AT, DAY, HOUR
from tests.scenes.rename_scene import delete_bucket

pytestmark = pytest.mark.live

LATER = ERASED_AT + timedelta(hours=1)
AT_REST = LATER + timedelta(days=5)
MAX_CUTS = 200
STAYS = [point(5, {"customer": "7"}, "temp", 0.5), point(HOUR - 1, {"customer": "7"}, "temp", 1.5)]
# the others are tried by `make soak`
FEW = [
    ("purge", "erase", 46),
    ("erase", "purge", 41),
    ("restore", "erase", 25),
    ("erase", "restore", 41),
]
GOES = [point(6, CUSTOMER, "temp", 2.5)]


def make_scene(influx: InfluxServer, client: InfluxClient, base: Path, *, is_purged: bool) -> EraseScene:
    """One window of two customers, archived and rolled up; purged too if wanted."""
    scene = make_erase_scene(influx, client, base)
    scene.add(*STAYS, *GOES)
    scene.roll(scene.hourly, DAY)
    scene.roll(scene.daily, DAY)
    scene.clock = ARCHIVED_AT
    scene.archive()
    if is_purged:
        scene.purge()
    return scene


def make_steps(scene: EraseScene, verb: str, now: datetime = LATER) -> Any:
    """A verb that is about the window."""
    if verb == "erase":
        return scene.erase_steps(now=now)
    if verb == "purge":
        return scene.purge_steps(WINDOW, now=now)
    if verb == "archive":
        scene.clock = now
        return scene.steps(WINDOW)
    return restore(scene.restore_spec(), WINDOW, RUN, lambda: now)


def ended(act: Callable[[], object]) -> str:
    """How a verb ended."""
    try:
        act()
    except InfluxRollupError as error:
        return f"{type(error).__name__}: {error}"
    return "ok"


def run(scene: EraseScene, verb: str, now: datetime = LATER) -> str:
    """Act a verb out."""
    steps = make_steps(scene, verb, now)
    return ended(lambda: drive(steps, scene.client, scene.tell, actions_with(scene.store)))


def require_stands_for(scene: EraseScene, about: object) -> None:
    """The mark and the purge's document name the newest generation, which has every point that stays."""
    if len(without(scene.rows(), CUSTOMER)) == len(STAYS):
        return
    assert scene.stored(WINDOW) == facts_of(STAYS) or not scene.erase_certificates(), about
    newest = max(scene.manifests(WINDOW))
    assert scene.purge_document().get("generation") == newest, about
    assert scene.ledger_rows("purged_window", "generation") == [newest], about
    assert scene.mark_states() in (["purged"], ["deleting"]), about


def run_cut(scene: EraseScene, first: str, other: str, cut: int) -> bool:
    """One order of two verbs; whether the first has so many steps."""
    stepper = Going(scene, make_steps(scene, first))
    if not stepper.advance_to(cut):
        return False
    ends = [run(scene, other), ended(stepper.finish)]
    about = (first, other, cut, ends, stepper.seen[-6:])
    assert "ok" in ends, about
    require_stands_for(scene, about)
    require_erased(scene, ends, about)
    # whatever came before, each of them does what it should when it is alone
    for verb, now in (("erase", LATER), ("archive", LATER), ("purge", AT_REST), ("restore", AT_REST)):
        end = run(scene, verb, now)
        assert end == "ok", (verb, end, about)
        require_stands_for(scene, (verb, about))
        assert verb != "purge" or scene.rows() == set(), about
    scene.require_chain()
    assert (scene.mark_states(), scene.purge_document()) == (["lifted"], {}), about
    assert scene.customers_in_files() == 0, about
    assert scene.stored(WINDOW) == facts_of(STAYS), about
    assert sorted(row[0] for row in scene.rows()) == sorted(one.time_ns for one in STAYS), about
    return True


def require_erased(scene: EraseScene, ends: list[str], about: object) -> None:
    """Nothing of the customer is there when the erasure is certified, or the run that wrote it says what to do."""
    if scene.erase_certificates() and not any("run the erasure again" in end for end in ends):
        assert scene.rows() == without(scene.rows(), CUSTOMER), about
        assert scene.customers_in_files() == 0, about


def try_cut(influx: InfluxServer, client: InfluxClient, base: Path, pair: tuple[str, str], cut: int) -> bool:
    """A scene of its own for one order, whose buckets are gone after it: a server keeps something of each in memory."""
    scene = make_scene(influx, client, base / str(cut), is_purged="restore" in pair)
    is_reached = run_cut(scene, *pair, cut)
    for bucket in (scene.bucket, scene.rolled, scene.ledger):
        delete_bucket(influx, bucket)
    return is_reached


@pytest.mark.parametrize(("first", "other", "cut"), FEW)
def test_purged_points_are_in_the_generation_that_stands_for_them(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, first: str, other: str, cut: int
) -> None:
    assert try_cut(influx, client, tmp_path, (first, other), cut)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("first", "other"), dict.fromkeys((first, other) for first, other, _ in FEW))
def test_purged_points_are_in_the_generation_that_stands_for_them_at_every_cut(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, first: str, other: str
) -> None:
    for cut in range(MAX_CUTS):
        if not try_cut(influx, client, tmp_path, (first, other), cut):
            assert cut > 15
            return
    pytest.fail("there are more steps than cuts")
