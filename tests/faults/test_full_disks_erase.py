"""Erasures whose disk is full, InfluxDB's or that of the archive: what was deleted is told, and a rerun erases and certifies the rest."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError, InfluxUnavailable
from airflow_provider_influx_rollup.steps.influx import Delete, Gather, Write
from tests.conftest import InfluxServer
from tests.faults.any_room import World, many_points, require_right_with_any_room, require_tidy, require_whole
from tests.faults.scenes import connect, quick_retries
from tests.scenes.archive_scene import facts_of
from tests.scenes.erase_scene import CUSTOMER, HOURS, EraseScene, Going, make_erase_scene, others
from tests.scenes.purge_scene import ARCHIVED_AT
from tests.servers.own_server import kill_and_start, own_server
from tests.servers.small_disk import SmallDisk

pytestmark = [pytest.mark.faults, pytest.mark.live, pytest.mark.timeout(1800)]

STAY = [*others(), *many_points({"customer": "7"}, 3, 3)]
MINE = many_points(CUSTOMER, 3, 4)
ROLLED = ("m", "m_daily", "m_all")


def made_scene(server: InfluxServer, client: InfluxClient, base: Path, *, with_customer: bool) -> EraseScene:
    scene = make_erase_scene(server, client, base)
    scene.add(*STAY, *(MINE if with_customer else []))
    scene.roll_all()
    scene.clock = ARCHIVED_AT
    scene.archive(*HOURS)
    return scene


def filed(scene: EraseScene) -> list[tuple[Any, ...]]:
    """What the newest generations hold, read by pyarrow."""
    return sorted((facts for window in HOURS for facts in scene.stored(window)), key=repr)


def world_of(scene: EraseScene, twin: EraseScene) -> World:
    """An erasure.

    :param twin: the same where the customer has never been
    """
    all_rows, staying = scene.rows(), twin.rows()
    all_facts, staying_facts = facts_of([*STAY, *MINE]), set(facts_of(STAY))

    def safe() -> None:
        require_whole(scene.base)
        assert staying <= scene.rows() <= all_rows
        assert staying_facts <= set(filed(scene)) <= set(all_facts)
        if scene.erase_certificates():
            assert (scene.rows(), scene.customers_in_files()) == (staying, 0)

    def done() -> None:
        safe()
        require_tidy(scene.base)
        assert filed(scene) == facts_of(STAY)
        assert len(scene.erase_certificates()) == 1
        for name in ROLLED:
            assert scene.rows(scene.rolled, name) == twin.rows(twin.rolled, name)
        for pipeline in ("hourly", "daily", "merged"):
            assert scene.receipt_rows(pipeline) == twin.receipt_rows(pipeline)
        assert (scene.verified(), scene.pending()) == ([], [])
        scene.require_chain()

    return World(run=scene.erase, require_safe=safe, require_done=done)


def test_an_erasure_is_right_whatever_room_the_archive_has(
    influx: InfluxServer, client: InfluxClient, disk: SmallDisk, tmp_path: Path
) -> None:
    twin = made_scene(influx, client, tmp_path / "twin", with_customer=False)
    require_right_with_any_room(
        disk, lambda folder: world_of(made_scene(influx, client, folder, with_customer=True), twin)
    )


def changes_influxdb(step: Any) -> bool:
    return any(
        isinstance(one, (Delete, Write)) for one in (step.steps if isinstance(step, Gather) else [step])
    )


def fails_at(scene: EraseScene, disk: SmallDisk, number: int) -> InfluxRollupError | None:
    """Fill the disk before the step that is so many of those that change something in InfluxDB; the erasure's error."""
    going = Going(scene, scene.erase_steps())
    with closing(going.steps):
        try:
            while going.pending is not None:
                number -= changes_influxdb(going.pending)
                if number < 0:
                    disk.fill()
                    number = sys.maxsize
                going.advance()
        except InfluxRollupError as error:
            return error
    return None


def test_an_erasure_is_right_after_the_disk_of_influxdb_was_full(disk: SmallDisk, tmp_path: Path) -> None:
    told: list[str] = []
    with (
        own_server(disk.folder) as server,
        quick_retries(),
        connect(server, server.url) as client,
        connect(server, server.url, deadline_seconds=0.2) as impatient,
    ):
        twin = made_scene(server, client, tmp_path / "twin", with_customer=False)
        for number in range(100):
            scene = made_scene(server, client, tmp_path / str(number), with_customer=True)
            world = world_of(scene, twin)
            error = fails_at(replace(scene, client=impatient), disk, number)
            is_full = (disk.folder / "ballast").exists()
            disk.make_room()
            if not is_full:
                break
            kill_and_start(disk.folder / "data")
            world.require_safe()
            if error is not None:
                told.append(str(error))
                assert isinstance(error, InfluxUnavailable), error
                assert "make room" in str(error)
                assert error.written, error
            world.run()
            world.require_done()
    sys.stdout.write(json.dumps({"changes": number, "failed": len(told)}))
    assert told
