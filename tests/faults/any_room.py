"""A verb that has room for so many pages and no more: for none, for one, and so on, until there is enough."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from airflow_provider_influx_rollup.exceptions import InfluxRollupError, StoreUnavailable
from tests.scenes.archive_scene import Point, point
from tests.scenes.compact_scene import HOUR_NS
from tests.servers.small_disk import SmallDisk

MOST_PAGES = 400


def many_points(tags: dict[str, str], hours: int, seed: int) -> list[Point]:
    """So many, and so different, that their files have several pages."""
    drawn = random.Random(seed)
    return [
        point(number * HOUR_NS + 1000 + 7 * n, {**tags, "device": "m"}, "temp", drawn.random())
        for number in range(hours)
        for n in range(1500)
    ]


@dataclass(frozen=True, kw_only=True)
class World:
    """One that a verb works in.

    :param run: does what it does
    :param require_safe: what must be true at any moment
    :param require_done: what must be true when it has ended well
    """

    run: Callable[[], object]
    require_safe: Callable[[], None]
    require_done: Callable[[], None]

    def fails(self) -> InfluxRollupError | None:
        """Run it; its error. All is safe after."""
        try:
            self.run()
        except InfluxRollupError as error:
            self.require_safe()
            return error
        self.require_safe()
        return None


def require_right_with_any_room(disk: SmallDisk, make: Callable[[Path], World]) -> None:
    """With room for no page, for one, and so on, until there is enough."""
    for pages in range(MOST_PAGES):
        folder = disk.folder / f"with room for {pages}"
        world = make(folder)
        disk.fill(but_pages=pages)
        error = world.fails()
        if error is None:
            break
        require_told_of_room(error)
        # as Airflow does before anybody has made room
        world.fails()
        disk.make_room()
        world.run()
        world.require_done()
        shutil.rmtree(folder)
    world.require_done()
    sys.stdout.write(json.dumps({"pages until there is room": pages}))
    assert 5 < pages < MOST_PAGES


def require_told_of_room(error: InfluxRollupError) -> None:
    """It says what happened, what was written, and what helps."""
    assert isinstance(error, StoreUnavailable), error
    assert not error.permanent
    assert "No space left on device" in str(error)
    assert error.written, error
    assert "make room" in str(error)


def require_whole(base: Path) -> None:
    """All files that a manifest names are those that it names, but where a document beside it says that they are gone."""
    for path in base.rglob("manifest.json"):
        if (path.parent / "erased.json").exists() or (path.parent / "compacted.json").exists():
            continue
        for part in json.loads(path.read_bytes())["parts"]:
            data = (path.parent / part["name"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == part["sha256"]
            assert pq.read_metadata(path.parent / part["name"]).num_rows == part["rows"]


def require_tidy(base: Path) -> None:
    """No file is there that nobody names."""
    assert list(base.rglob("*.part")) == []
    for folder in base.rglob("gen=*"):
        named = {part["name"] for part in json.loads((folder / "manifest.json").read_bytes())["parts"]}
        assert {path.name for path in folder.glob("*.parquet")} <= named
