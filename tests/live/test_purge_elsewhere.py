"""An archive under one path, and a purge that was proven by an archive under another."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ArchiveMissing
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import nothing_published
from tests.scenes.purge_scene import (
    DAY,
    SECOND,
    WINDOW,
    PurgeScene,
    Stepper,
    as_facts,
    inside,
    make_purge_scene,
    outside,
    point,
)

pytestmark = pytest.mark.live


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> PurgeScene:
    return make_purge_scene(influx, client, tmp_path)


@pytest.fixture
def second(scene: PurgeScene, tmp_path: Path) -> PurgeScene:
    """The same bucket and ledger, archived under another path before the purge."""
    found = replace(scene, base=tmp_path / "second")
    found.archive()
    return found


def test_points_stay_in_every_archive_when_one_of_them_was_purged(
    scene: PurgeScene, second: PurgeScene
) -> None:
    scene.purge()
    result = second.archive()
    assert (result["new"], result["rows_out"]) == (0, 4)
    late = point(5 * SECOND, {"device": "late"}, "temp", 5.0)
    scene.add(late)
    for one in (second, scene):
        assert one.archive()["rows_out"] == 5
        assert one.filed() == as_facts([*inside(), late])


def test_points_stay_in_the_archive_when_its_copy_is_older_than_the_purge(
    scene: PurgeScene, tmp_path: Path
) -> None:
    shutil.copytree(scene.base, tmp_path / "copy")
    scene.purge()
    shutil.rmtree(scene.base)
    shutil.copytree(tmp_path / "copy", scene.base)
    assert scene.purge_document() == {}
    assert scene.archive()["rows_out"] == 4
    assert scene.filed() == as_facts(inside())


def test_archive_is_refused_when_the_purged_points_are_under_another_path(
    scene: PurgeScene, tmp_path: Path
) -> None:
    scene.purge()
    other = replace(scene, base=tmp_path / "other")
    for window in (WINDOW, DAY, Interval(WINDOW.start, WINDOW.start + timedelta(minutes=1))):
        with pytest.raises(ArchiveMissing, match=r"were purged.* does not have it.*use the path"):
            other.archive(window)
    assert other.files() == []
    # what is left, and only when that is asked for
    assert other.archive(DAY, force=True)["rows_out"] == 1


def test_archive_is_refused_when_the_folder_of_a_purged_window_is_gone(scene: PurgeScene) -> None:
    scene.purge()
    for path in scene.folder.glob("window=*"):
        shutil.rmtree(path)
    with nothing_published(scene), pytest.raises(ArchiveMissing, match="were purged"):
        scene.archive()


def test_longer_window_is_archived_when_the_purged_one_is_beside_it(scene: PurgeScene) -> None:
    scene.purge()
    assert scene.archive(DAY)["rows_out"] == 1
    assert scene.filed(DAY) == as_facts(outside()[2:])
    assert scene.filed() == as_facts(inside())


def test_archive_begins_anew_when_another_one_purges_while_it_looks(
    scene: PurgeScene, second: PurgeScene
) -> None:
    """Both of its reads come after the delete, and its look at the ledger before the mark."""
    stepper = Stepper(second, second.steps())
    while "ShowKeys" not in stepper.seen:
        stepper.advance()
    scene.purge()
    stepper.finish()
    assert second.filed() == as_facts(inside())
