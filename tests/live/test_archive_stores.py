"""Folders that are full, forbidden, or hold files of others."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import (
    StoreForbidden,
    StoreUnavailable,
)
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import (
    FOLDER,
    ArchiveScene,
    client_of,
    facts_of,
    make_archive_scene,
    nothing_published,
    small_points,
)

pytestmark = pytest.mark.live


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> ArchiveScene:
    made = make_archive_scene(influx, client, tmp_path)
    made.write(small_points())
    return made


@contextmanager
def small_files(most_bytes: int) -> Iterator[None]:
    """The kernel refuses to make files longer, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("most_bytes", [0, 300, 1_300])
def test_nothing_is_left_when_the_disk_is_full(scene: ArchiveScene, most_bytes: int) -> None:
    with (
        nothing_published(scene),
        pytest.raises(StoreUnavailable, match="make room") as caught,
        small_files(most_bytes),
    ):
        scene.archive()
    assert str(scene.base) in str(caught.value)
    assert not caught.value.permanent
    assert scene.archive()["rows_out"] == 6


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_store_is_forbidden_when_the_folder_may_not_be_written(scene: ArchiveScene) -> None:
    scene.base.mkdir()
    scene.base.chmod(0o555)
    with (
        nothing_published(scene),
        pytest.raises(StoreForbidden, match="right to read and write") as caught,
        as_nobody(),
    ):
        scene.archive()
    assert str(scene.base) in str(caught.value)
    assert caught.value.permanent


def test_store_is_forbidden_when_the_path_is_below_a_file(scene: ArchiveScene) -> None:
    scene.base.write_text("a file")
    with pytest.raises(StoreForbidden, match="something else is in its place"):
        scene.archive()
    assert scene.base.read_text() == "a file"


def test_foreign_files_are_left_alone_when_they_are_in_the_folders(scene: ArchiveScene) -> None:
    window = scene.folder / FOLDER
    foreign = [
        scene.folder / "notes.txt",
        scene.folder / "window=today" / "x.parquet",
        window / "gen=x" / "manifest.json",
        window / "gen=0" / "manifest.json",
        window / "gen=01" / "manifest.json",
        window / "gen=1" / "README",
    ]
    for path in foreign:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("not ours")
    assert scene.archive()["generation"] == 1
    assert scene.archive()["new"] == 0
    assert [path.read_text() for path in foreign] == ["not ours"] * len(foreign)
    assert scene.stored(generation=1) == facts_of(small_points())


def test_store_is_forbidden_when_a_file_has_the_name_of_a_generation(scene: ArchiveScene) -> None:
    window = scene.folder / FOLDER
    window.mkdir(parents=True)
    (window / "gen=1").write_text("not ours")
    with nothing_published(scene), pytest.raises(StoreForbidden, match="gen=1"):
        scene.archive()


def test_connection_is_free_again_when_the_store_fails(scene: ArchiveScene) -> None:
    class FullStore(ArchiveStore):
        """Has room for no file."""

        @contextmanager
        def writing(self, relative: str) -> Iterator[Any]:
            with super().writing(relative) as file:
                yield file
                raise OSError(errno.ENOSPC, "No space left on device")

    store = FullStore(scene.store._files, str(scene.base), "shown")
    with client_of(scene.server, pool_size=1) as narrow:
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="No space"):
                drive(scene.steps(), narrow, scene.tell, actions_with(store))
        assert scene.archive(client=narrow)["rows_out"] == 6
