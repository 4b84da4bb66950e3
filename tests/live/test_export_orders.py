"""Exports, late points, compactions and erasures in any order: the table ends with each point once."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.export.holdings import Holdings, holdings
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.live.test_compact_erase import erase_device
from tests.live.test_export import exported, table_points
from tests.scenes.archive_scene import START, facts_of, point
from tests.scenes.compact_scene import DAY, HOUR_NS, CompactScene, hour, make_compact_scene

pytestmark = pytest.mark.live


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> CompactScene:
    return make_compact_scene(influx, client, tmp_path / "archive")


def add_late(scene: CompactScene, number: int, device: str = "late", moment: int = 1000) -> None:
    """A late point of an hour, which is archived again."""
    scene.add(point(number * HOUR_NS + moment, {"device": device}, "temp", 7.0))
    scene.archive(hour(number))


def test_points_are_there_once_when_an_hour_changes_after_an_erased_day(
    scene: CompactScene, tmp_path: Path
) -> None:
    table = tmp_path / "table"
    scene.purge_hours(*scene.hours)
    scene.compact(remove_small=True)
    exported(scene, table)
    erase_device(scene, "b")
    assert exported(scene, table)["commits"] == 2
    add_late(scene, 1)
    made = exported(scene, table)
    # the hour, and what is left of the three hours that were noted as one
    assert (made["commits"], made["replaced"]) == (3, 3)
    assert table_points(table) == facts_of(scene.points)
    assert exported(scene, table)["commits"] == 0


def test_erased_points_go_when_a_part_of_a_day_was_exported_before(
    scene: CompactScene, tmp_path: Path
) -> None:
    table = tmp_path / "table"
    scene.compact()
    exported(scene, table)
    erase_device(scene, "a")
    exported(scene, table)
    add_late(scene, 1)
    exported(scene, table, hour(1))
    erase_device(scene, "b")
    exported(scene, table)
    assert table_points(table) == facts_of(scene.points)


@pytest.mark.parametrize("seed", range(4))
def test_points_are_there_once_when_things_happen_in_any_order(
    scene: CompactScene, tmp_path: Path, seed: int
) -> None:
    chance, table = random.Random(seed), tmp_path / "table"
    told = []
    for moment in range(1000, 1014):
        what = chance.choice(["late", "late", "compact", "purge", "erase", "export", "export", "export"])
        number = chance.choice([0, 1, 1, 2, 5, 6])
        told.append(f"{what} {number}")
        if what == "late":
            add_late(scene, number, moment=moment)
        elif what == "compact":
            scene.compact(remove_small=chance.random() < 0.5)
        elif what == "purge":
            scene.purge_hours(chance.choice(scene.hours))
        elif what == "erase":
            erase_device(scene, chance.choice(["a", "b", "late"]))
            # series that come back are erased by a later one
            add_late(scene, 3, "b", moment)
        else:
            begin = START + timedelta(hours=chance.choice(scene.hours), minutes=chance.randrange(60))
            exported(scene, table, Interval(begin, begin + timedelta(minutes=chance.choice([1, 90, 200]))))
    exported(scene, table)
    assert table_points(table) == facts_of(scene.points) == scene.read(), told
    assert exported(scene, table)["commits"] == 0


def test_history_without_knowledge_is_written_anew_when_rows_were_appended_over_others() -> None:
    def note(interval: Interval, rows: int, **more: bool) -> dict[str, object]:
        return {
            "interval": interval.as_json(),
            "parts": [{**interval.as_json(), "rows": rows, "hash": f"{rows:016x}"}],
            **more,
        }

    first = note(DAY, 9)
    twice = holdings((first, note(hour(3), 2)))
    assert twice.has(hour(3))
    assert twice.known(hour(3)) is None
    mended = holdings((first, note(hour(3), 2, replaces=True)))
    assert mended.known(hour(3)) is not None
    assert mended.known(hour(4)) is None
    assert mended.has(hour(4))
    assert mended.known(Interval(DAY.start, DAY.stop)) is None
    whole = holdings((first, note(hour(3), 2, replaces=True), note(DAY, 8, replaces=True)))
    assert whole.vague == ()
    assert whole.known(DAY) == whole.totals[DAY]
    assert not Holdings().has(DAY)
