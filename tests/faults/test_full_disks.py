"""A disk that is full from some request on, InfluxDB's or that of the archive: what failed says so, and a rerun is right once there is room."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.exceptions import (
    InfluxRollupError,
    InfluxUnavailable,
    PurgeRefused,
    RestoreConflict,
    StoreUnavailable,
    WindowsFailed,
)
from tests.conftest import InfluxServer
from tests.faults.under_faults import Cured, live_once, require_told
from tests.scenes.interleaving_scene import Verb
from tests.servers.own_server import kill_and_start, own_server
from tests.servers.small_disk import SmallDisk

pytestmark = [pytest.mark.faults, pytest.mark.live, pytest.mark.timeout(1800)]

# a seed that failed: DISK_FIRST=<seed> DISK_WORLDS=1
FIRST = int(os.environ.get("DISK_FIRST", "1"))
WORLDS = int(os.environ.get("DISK_WORLDS", "12"))


def worlds(server: InfluxServer, base: Path, disk: SmallDisk, cure: Callable[[], object]) -> list[Verb]:
    """All that failed, in all worlds."""
    failed: list[Verb] = []
    names: Counter[str] = Counter()
    for seed in range(FIRST, FIRST + WORLDS):
        found = live_once(Cured, server, base, seed, happens=disk.fill, cure=cure, deadline_seconds=0.2)
        names.update(require_told(verb, seed, [server.token]) for verb in found)
        failed += found
    sys.stdout.write(json.dumps({"worlds": WORLDS, "failed verbs": names}))
    return failed


def require_told_of_room(failed: list[Verb], kind: type[InfluxRollupError]) -> None:
    """Some verbs met the full disk, and each of these says so and what to do about it; all others failed for what is their own."""
    met = [one.error for one in failed if one.error is not None and "pace left on device" in str(one.error)]
    assert met
    for error in met:
        assert isinstance(error, (kind, WindowsFailed)), error
        assert not error.permanent, error
        assert "make room" in str(error)
    others = {type(one.error) for one in failed if one.error not in met}
    assert others <= {RestoreConflict, PurgeRefused, WindowsFailed}, others


def test_every_stage_is_right_after_the_disk_of_influxdb_was_full(disk: SmallDisk, tmp_path: Path) -> None:
    def cure() -> None:
        """As the guide says."""
        disk.make_room()
        kill_and_start(disk.folder / "data")

    with own_server(disk.folder) as server:
        require_told_of_room(worlds(server, tmp_path, disk, cure), InfluxUnavailable)


def test_every_stage_is_right_after_the_disk_of_the_archive_was_full(
    influx: InfluxServer, disk: SmallDisk
) -> None:
    require_told_of_room(worlds(influx, disk.folder, disk, disk.make_room), StoreUnavailable)
