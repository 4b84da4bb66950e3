"""Runs of the verbs that keep files, as a world has them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from airflow_provider_influx_rollup.archive import erasure
from airflow_provider_influx_rollup.archive.placement import decode_in_place
from airflow_provider_influx_rollup.lifecycle.archive.archive import archive
from airflow_provider_influx_rollup.lifecycle.archive.expiring import archive_expiring
from airflow_provider_influx_rollup.lifecycle.archive_files import generations, index
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.compact.compact import compact
from airflow_provider_influx_rollup.lifecycle.compact.spec import CompactSpec
from airflow_provider_influx_rollup.lifecycle.erase.erase import EraseRun, erase
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.lifecycle.purge.purge import purge
from airflow_provider_influx_rollup.lifecycle.purge.spec import PurgeSpec
from airflow_provider_influx_rollup.lifecycle.restore.restore import restore
from airflow_provider_influx_rollup.lifecycle.restore.spec import RestoreSpec
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.simulation.pipelines import HOURS, SPAN
from tests.simulation.world import ERASED, World

ARCHIVE_VERBS = {
    "archived": ("archive", "purge", "restore", "erase", "compact"),
    # none is erased: a window whose points are all gone, and whose run died, stays WRITING where retention may have taken them
    "expiring": ("archive", "purge", "restore", "compact", "expiring", "expiring"),
}
ARCHIVE = ArchiveSpec(org="org", bucket="raw", measurement="m", shown_path="/archive", ledger_bucket="ledger")
PURGE = PurgeSpec(archive=ARCHIVE, require_pipelines=("hourly",), min_age="1h", quiet_for="10s")
RESTORE = RestoreSpec(
    org="org",
    source_bucket="raw",
    measurement="m",
    target_bucket="raw",
    target_org="org",
    shown_path="/archive",
    ledger_bucket="ledger",
    allow_missing=True,
)
ERASE = EraseSpec(archive=ARCHIVE, tags=dict(ERASED), require_archive=False)
COMPACT = CompactSpec(
    org="org",
    bucket="raw",
    measurement="m",
    shown_path="/archive",
    into=f"{HOURS}h",
    min_age="1h",
    remove_small=True,
)
SOON = Duration.of("3d")
MOST_EXPIRING = 2
Clock = Callable[[], datetime]
# slow on purpose, and here always of the same tags
vars(erasure)["hashlib"] = SimpleNamespace(scrypt=lru_cache(maxsize=8)(hashlib.scrypt))
# the same few manifests are read again and again, and nobody changes what was read
for reader in (generations, index):
    vars(reader)["decode_in_place"] = lru_cache(maxsize=1024)(decode_in_place)


def archive_run(
    world: World, verb: str, windows: Sequence[Interval], info: RunInfo, clock: Clock
) -> Callable[[], Any]:
    """What makes the steps of a run.

    :param windows: neighbours; an erasure is of all time, and a compaction of all windows
    """
    if verb == "compact":
        return lambda: compact(COMPACT, SPAN, info, clock, {})
    if verb == "expiring":
        return lambda: archive_expiring(ARCHIVE, Grid.of("1h"), SOON, MOST_EXPIRING, info, clock, {})
    if verb == "archive":
        return lambda: archive(ARCHIVE, windows, info, clock, {})
    if verb == "purge":
        return lambda: purge(PURGE, windows, info, clock)
    if verb == "restore":
        return lambda: restore(RESTORE, Interval.spanning(windows), info, clock)

    def erased() -> Any:
        world.erasure_begins()
        return erase(ERASE, EraseRun(info=info, now=clock, versions={}, salt=b"0123456789abcdef"))

    return erased
