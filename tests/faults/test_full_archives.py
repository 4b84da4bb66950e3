"""Compactions and exports whose disk is full: what failed says so, no point is lost, nothing that is half written counts, and a rerun is right."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.compact.compact import compact
from airflow_provider_influx_rollup.lifecycle.export.export import export
from airflow_provider_influx_rollup.stores.actions import actions_with
from tests.conftest import InfluxServer
from tests.faults.any_room import World, many_points, require_right_with_any_room, require_tidy, require_whole
from tests.faults.scenes import connect
from tests.live.test_export import exported, log_files, spec_of, table_points
from tests.scenes.archive_scene import RUN, VERSIONS, Point, facts_of, point, sorted_facts
from tests.scenes.compact_scene import DAY, HOUR_NS, CompactScene, hour, make_compact_scene
from tests.scenes.rename_scene import rename_bucket
from tests.servers.own_server import CHECKOUT, own_server
from tests.servers.small_disk import SmallDisk

pytestmark = [pytest.mark.faults, pytest.mark.live, pytest.mark.timeout(600)]


@pytest.fixture
def hours(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> CompactScene:
    """Hours with many points, two of them in the archive alone."""
    scene = make_compact_scene(influx, client, tmp_path / "archive")
    scene.add(*many_points({}, 3, 1))
    scene.archive(*(hour(number) for number in scene.hours))
    scene.purge_hours(0, 1)
    return scene


def test_a_compaction_is_right_whatever_room_it_has(hours: CompactScene, disk: SmallDisk) -> None:
    wanted = facts_of(hours.points)

    def make(folder: Path) -> World:
        scene = hours.copied(folder)

        def safe() -> None:
            require_whole(scene.base)
            assert scene.read() == wanted

        def done() -> None:
            safe()
            require_tidy(scene.base)
            assert scene.stored(DAY) == wanted
            newest = [
                [path for path in scene.small_files(n) if path.parent.name == "gen=2"] for n in range(3)
            ]
            assert [bool(files) for files in newest] == [False, False, True]
            scene.verified()

        return World(run=lambda: scene.compact(remove_small=True), require_safe=safe, require_done=done)

    require_right_with_any_room(disk, make)


def in_hours(table: Path, points: list[Point]) -> set[int]:
    """The hours that a table holds as they are in the points; all others it holds not at all."""
    held = table_points(table) if log_files(table) else []
    found = {facts[0] // HOUR_NS for facts in held}
    assert held == facts_of(one for one in points if one.time_ns // HOUR_NS in found)
    return found


def test_an_export_into_a_new_table_is_right_whatever_room_it_has(
    hours: CompactScene, disk: SmallDisk
) -> None:
    def make(folder: Path) -> World:
        table = folder / "table"
        folder.mkdir()

        def done() -> None:
            assert table_points(table) == facts_of(hours.points)
            assert exported(hours, table)["commits"] == 0

        return World(
            run=lambda: exported(hours, table),
            require_safe=lambda: in_hours(table, hours.points) and None,
            require_done=done,
        )

    require_right_with_any_room(disk, make)


def test_an_export_that_replaces_an_hour_is_right_whatever_room_it_has(
    hours: CompactScene, disk: SmallDisk, tmp_path: Path
) -> None:
    first = tmp_path / "table"
    exported(hours, first)
    before = facts_of(hours.points)
    late = point(2 * HOUR_NS + 99, {"device": "late", "new tag": "x"}, "temp", 7.0)
    hours.add(late)
    hours.archive(hour(2))
    after = sorted_facts([*before, late.facts])

    def make(folder: Path) -> World:
        table = folder / "table"
        shutil.copytree(first, table)

        def safe() -> None:
            assert table_points(table) in (before, after)

        def done() -> None:
            assert table_points(table) == after
            assert exported(hours, table)["commits"] == 0

        return World(run=lambda: exported(hours, table), require_safe=safe, require_done=done)

    require_right_with_any_room(disk, make)


# what every client makes in the folder of temporary files, of a process that has found the folder while there was room
RECORD = """
import sys, tempfile
from airflow_provider_influx_rollup.client.overload.shared_record import record_of_server
tempfile.tempdir = sys.argv[1]
record = record_of_server("http://influxdb:8086", None)
with record.changing() as numbers:
    numbers.failures = 3
assert (record.path, record.numbers.failures) == (None, 3)
"""


def test_nothing_fails_when_the_folder_of_temporary_files_is_full(
    hours: CompactScene, disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.fill()
    # the system ends a process that writes to the memory of a file without room
    asked = [sys.executable, "-c", RECORD, str(disk.folder)]
    done = subprocess.run(asked, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    monkeypatch.setenv("TMPDIR", str(disk.folder))
    monkeypatch.setattr(tempfile, "tempdir", str(disk.folder))
    table = tmp_path / "table"
    exported(hours, table)
    late = point(2 * HOUR_NS + 99, {"device": "late"}, "temp", 7.0)
    hours.add(late)
    hours.archive(hour(2))
    assert exported(hours, table)["replaced"] == 1
    hours.compact(remove_small=True)
    assert table_points(table) == hours.read() == hours.stored(DAY) == facts_of(hours.points)


def test_files_are_made_of_files_when_the_disk_of_influxdb_is_full(disk: SmallDisk, tmp_path: Path) -> None:
    table = tmp_path / "table"
    with own_server(disk.folder) as server, connect(server, server.url) as client:
        scene = make_compact_scene(server, client, tmp_path / "archive")
        # all that either verb asks InfluxDB is which folder a renamed bucket has
        renamed = f"{scene.bucket}_renamed"
        rename_bucket(server, scene.bucket, renamed)
        disk.fill()
        names = {"bucket": renamed, "ledger_bucket": scene.ledger}
        for steps in (
            compact(replace(scene.compact_spec, **names), DAY, RUN, scene.now, VERSIONS),
            export(replace(spec_of(scene, table), **names), DAY, RUN, scene.now),
        ):
            drive(steps, client, scene.tell, actions_with(scene.store))
        assert table_points(table) == scene.stored(DAY) == facts_of(scene.points)
