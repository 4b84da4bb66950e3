"""Archived hours become days: proven, read once, restored, verified, purged; against the test's own points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint
from airflow_provider_influx_rollup.archive.manifest import Manifest
from airflow_provider_influx_rollup.client.driver import act
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import (
    ArchiveMismatch,
    ArchiveMissing,
    ConfigurationError,
    WindowsFailed,
)
from airflow_provider_influx_rollup.read_archive import archive_files
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.store import JoinParts, PutNew, PutOver, RemoveFiles
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.stores.check_certificates import check_archive, read_chain
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import facts_of, point
from tests.scenes.compact_scene import (
    DAY,
    HOUR_NS,
    MONTH,
    NO_CLIENT,
    CompactScene,
    hour,
    make_compact_scene,
)

pytestmark = pytest.mark.live

KINDS = {"float", "integer", "unsigned", "boolean", "string"}


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> CompactScene:
    return make_compact_scene(influx, client, tmp_path)


def files(scene: CompactScene, *times: Any) -> list[str]:
    names = {"org": scene.server.org, "bucket": scene.bucket, "measurement": "m"}
    return archive_files(str(scene.base), *times, **names)


def test_day_holds_the_points_of_its_hours_when_they_are_compacted(
    scene: CompactScene, bucket_factory: Callable[[str], str]
) -> None:
    planned = scene.compact(dry_run=True)
    assert (planned["new"], planned["small_windows"], planned["state"]) == (1, 4, "PLANNED")
    assert planned["rows_out"] == 28
    assert not scene.manifests(DAY)
    made = scene.compact()
    assert (made["new"], made["windows"], made["small_windows"], made["rows_out"]) == (1, 1, 4, 28)
    assert scene.stored(DAY) == facts_of(scene.points)
    (manifest,) = scene.manifests(DAY).values()
    assert {part["kind"] for part in manifest["parts"]} == KINDS
    assert len(manifest["parts"]) == len(KINDS)
    assert manifest["tags"] == ["device", "rack"]
    named = {one["window"]["start"]: one["generation"] for one in manifest["run"]["compacted"]}
    assert named == {f"2025-03-08T0{number}:00:00Z": 1 for number in (0, 1, 2, 5)}
    again = scene.compact()
    assert (again["new"], again["generation"], again["checksum"]) == (0, 1, made["checksum"])
    assert scene.compact(dry_run=True)["rows_out"] == 28
    assert scene.read() == facts_of(scene.points)
    assert scene.read(hour(1)) == facts_of(one for one in scene.points if in_hour(one, 1))
    large = files(scene)
    assert len(large) == len(KINDS)
    assert sum(duckdb.read_parquet(path).count("_value").fetchall()[0][0] for path in large) == 28
    with pytest.raises(ArchiveMissing):
        scene.read(hour(3))
    whole = sorted(scene.facts_plain(), key=repr)
    assert scene.restored(bucket_factory("restored")) == whole
    assert set(scene.verified().values()) == {"as its manifest says"}


def in_hour(one: Any, number: int) -> bool:
    return bool(hour(number).start_ns <= one.time_ns < hour(number).stop_ns)


def test_an_hour_that_was_archived_again_counts_until_the_day_is_compacted_again(
    scene: CompactScene, bucket_factory: Callable[[str], str]
) -> None:
    scene.compact()
    late = point(HOUR_NS + 99, {"device": "late"}, "temp", 7.0)
    other = point(3 * HOUR_NS, {"device": "a"}, "temp", 8.0)
    scene.add(late, other)
    assert scene.archive(hour(1), hour(3))["new"] == 2
    assert scene.read() == facts_of(scene.points)
    assert scene.restored(bucket_factory("between")) == sorted(scene.facts_plain(), key=repr)
    with pytest.raises(ConfigurationError, match="archived again since it was compacted"):
        files(scene)
    assert len(files(scene, hour(5).start, hour(5).stop)) == len(KINDS)
    made = scene.compact()
    assert (made["new"], made["generation"], made["small_windows"]) == (1, 2, 5)
    assert scene.stored(DAY) == facts_of(scene.points)
    assert len(files(scene)) == len(KINDS)
    assert scene.read() == facts_of(scene.points)
    assert scene.compact()["new"] == 0
    assert scene.stored(DAY, 1) == facts_of(one for one in scene.points if one not in (late, other))


def test_files_of_purged_hours_go_and_all_that_reads_them_goes_on(
    scene: CompactScene, bucket_factory: Callable[[str], str]
) -> None:
    whole = sorted(scene.facts_plain(), key=repr)
    assert scene.compact(remove_small=True)["removed"] == 0
    scene.purge_hours(0, 1)
    made = scene.compact(remove_small=True)
    assert (made["new"], made["removed"]) == (0, 2)
    assert [len(scene.small_files(number)) for number in scene.hours] == [0, 0, 5, 5]
    assert scene.compact(remove_small=True)["removed"] == 0
    told = scene.verified()
    assert told[hour(0), 1] == told[hour(1), 1] == f"compacted into {DAY}, generation 1"
    assert scene.read() == facts_of(scene.points)
    assert scene.restored(bucket_factory("restored")) == whole
    for certificate in read_chain(scene.store, f"{scene.spec.folder}/certificates"):
        check_archive(scene.store, certificate)
    # nothing is archived again of what is gone on purpose
    assert scene.archive(*(hour(number) for number in scene.hours))["new"] == 0
    assert scene.purge(hour(0), require_pipelines=())["new"] == 0
    late = scene.land()
    result = scene.archive(hour(0))
    assert (result["new"], result["generation"], result["rows_out"]) == (1, 2, 8)
    assert scene.stored(hour(0)) == facts_of([*(one for one in scene.points if in_hour(one, 0))])
    assert scene.read() == facts_of(scene.points)
    scene.purge_hours(0)
    assert scene.compact(remove_small=True)["removed"] == 1
    assert scene.stored(DAY) == facts_of(scene.points)
    assert late.facts in scene.stored(DAY, 2)
    assert scene.small_files(0) == []
    assert scene.verified()[hour(0), 2] == f"compacted into {DAY}, generation 2"
    for certificate in read_chain(scene.store, f"{scene.spec.folder}/certificates"):
        check_archive(scene.store, certificate)


@pytest.mark.recorded
def test_purged_hours_without_files_are_restored_and_purged_again(scene: CompactScene) -> None:
    whole = sorted(scene.facts_plain(), key=repr)
    scene.compact()
    scene.purge_hours(*scene.hours)
    scene.compact(remove_small=True)
    assert not any(scene.small_files(number) for number in scene.hours)
    assert scene.rows_in_bucket() == 0
    assert scene.restored(scene.bucket) == whole
    assert not list(scene.base.rglob("purge.json"))
    assert scene.archive(*(hour(number) for number in scene.hours))["new"] == 0
    with pytest.raises(WindowsFailed, match="compacted from smaller ones"):
        scene.purge(DAY, hour(0), require_pipelines=(), now=scene.now().replace(year=2030))
    scene.purge_hours(*scene.hours)
    assert scene.rows_in_bucket() == 0
    assert scene.read() == facts_of(scene.points)
    # a changed hour, whose points are all there again, has files of its own again
    scene.restored(scene.bucket)
    scene.add(point(0, {"device": "a"}, "temp", 77.0))
    scene.points = [
        one for one in scene.points if one.facts[:4] != scene.points[-1].facts[:4] or one is scene.points[-1]
    ]
    assert scene.archive(hour(0))["new"] == 1
    assert scene.read() == facts_of(scene.points)


def test_purged_hour_stays_archived_when_a_restore_that_hung_has_removed_its_document(
    scene: CompactScene,
) -> None:
    scene.purge_hours(0)
    scene.compact(remove_small=True)
    # what a restore does at last that began before the purge, and dies
    (scene.folder / "window=20250308T000000Z_20250308T010000Z" / "purge.json").unlink()
    assert scene.archive(hour(0))["new"] == 0
    scene.land()
    assert scene.archive(hour(0))["new"] == 1
    scene.compact(remove_small=True)
    assert scene.read() == facts_of(scene.points)
    assert scene.restored(scene.bucket) == sorted(scene.facts_plain(), key=repr)
    assert scene.archive(hour(0))["new"] == 1


@pytest.mark.recorded
def test_days_become_a_month_and_a_changed_hour_comes_through(scene: CompactScene) -> None:
    scene.purge_hours(0)
    scene.compact(remove_small=True)
    month = scene.compact(MONTH, into="1mo", remove_small=True)
    assert (month["new"], month["rows_out"], month["removed"]) == (1, 28, 1)
    assert scene.read() == facts_of(scene.points) == scene.stored(MONTH)
    assert set(scene.verified().values()) == {
        "as its manifest says",
        f"compacted into {MONTH}, generation 1",
        f"compacted into {DAY}, generation 1",
    }
    scene.add(point(2 * HOUR_NS + 5, {"device": "late"}, "temp", 1.0))
    scene.land()
    assert scene.archive(hour(0), hour(2))["new"] == 2
    assert scene.read() == facts_of(scene.points)
    assert scene.compact(dry_run=True)["rows_out"] == 30
    assert (scene.compact()["generation"], scene.compact()["new"]) == (2, 0)
    assert scene.stored(DAY) == scene.read() == facts_of(scene.points)
    assert scene.compact(MONTH, into="1mo")["generation"] == 2
    assert scene.stored(MONTH) == scene.read() == facts_of(scene.points)
    assert len(files(scene)) == len(KINDS)


def test_nothing_is_published_when_a_file_is_damaged(scene: CompactScene, tmp_path: Path) -> None:
    damaged = scene.copied(tmp_path / "damaged")
    flip(damaged.small_files(1)[0])
    before = damaged.files()
    with pytest.raises(ArchiveMismatch, match="is not the file that was written"):
        damaged.compact()
    assert damaged.files() == before
    # files whose bytes are right, and a manifest that claims other points
    lying = scene.copied(tmp_path / "lying")
    claim_more(lying, hour(1))
    with pytest.raises(ArchiveMismatch, match="do not hold what its manifest says"):
        lying.compact()
    assert not lying.manifests(DAY)
    scene.compact()
    flip(next(scene.folder.glob("window=20250308T000000Z_20250309*/gen=1/float*")))
    made = scene.compact()
    assert (made["new"], made["generation"]) == (1, 2)
    assert scene.stored(DAY, 2) == facts_of(scene.points)
    scene.purge_hours(0)
    scene.compact(remove_small=True)
    flip(next(scene.folder.glob("window=20250308T000000Z_20250309*/gen=2/float*")))
    with pytest.raises(ArchiveMismatch, match="is not the file that was written"):
        scene.compact()
    assert set(scene.manifests(DAY)) == {1, 2}


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def claim_more(scene: CompactScene, window: Interval) -> None:
    path = next(scene.folder.glob(f"window={window.start:%Y%m%dT%H%M%SZ}*/gen=1/manifest.json"))
    manifest = Manifest.decode(path.read_bytes(), "")
    fields = dict(manifest.content.fields)
    fields["temp", "float"] = fields["temp", "float"].plus(fields["temp", "float"])
    changed = Fingerprint(fields=fields, series={}, series_count=manifest.content.series_count)
    path.write_bytes(replace(manifest, content=changed).encode())


@pytest.mark.recorded
def test_it_is_refused_when_windows_overlap_or_have_archives_of_their_own(scene: CompactScene) -> None:
    young = scene.compact(min_age="36500d")
    assert (young["windows"], young["waiting"]) == (0, 1)
    assert scene.compact(Interval(DAY.stop, DAY.stop + DAY.duration))["windows"] == 0
    assert scene.compact(hour(2))["windows"] == 0
    scene.compact()
    with pytest.raises(ConfigurationError, match="compacted from smaller ones"):
        scene.archive(DAY)
    scene.archive(Interval(hour(0).start, hour(1).stop))
    with pytest.raises(ConfigurationError, match="archived windows overlap at"):
        scene.compact()
    with pytest.raises(ConfigurationError, match="has an archive of its own"):
        scene.compact(into="2h")
    assert set(scene.manifests(DAY)) == {1}


@pytest.mark.recorded
def test_row_groups_are_large_when_windows_are_small(scene: CompactScene) -> None:
    scene.compact()
    (path,) = scene.folder.glob("window=20250308T000000Z_20250309*/gen=1/float*")
    read = pq.ParquetFile(path)
    assert read.num_row_groups == 1
    assert read.metadata.num_rows == 12
    assert [column.compression for column in [read.metadata.row_group(0).column(0)]] == ["ZSTD"]


def test_any_step_can_be_the_last_of_a_run(scene: CompactScene, tmp_path: Path) -> None:
    scene.purge_hours(0, 2)
    scene.compact()
    scene.land()
    scene.archive(hour(0))
    scene.purge_hours(0)
    wanted = facts_of(scene.points)
    changes = steps_until(scene.copied(tmp_path / "whole"), 10_000)
    assert len(changes) >= 7
    for last in changes:
        copy = scene.copied(tmp_path / f"cut{last}")
        steps_until(copy, last)
        assert copy.read() == wanted
        assert copy.compact(remove_small=True)["generation"] == 2
        assert copy.stored(DAY) == copy.read() == wanted
        # the older generation of an hour was not compacted, so its files stay
        assert {path.parent.name for path in copy.small_files(0)} == {"gen=1"}
        assert [len(copy.small_files(number)) for number in (1, 2, 5)] == [5, 0, 5]
    copy.verified()


def steps_until(scene: CompactScene, last: int) -> list[int]:
    """Act so many steps of a compaction out; the numbers of those after which a file is there or gone."""
    steps = scene.compact_steps(remove_small=True)
    answer = None
    changes = []
    for number in range(1, last + 1):
        try:
            step = steps.send(answer)
        except StopIteration:
            break
        answer = None if isinstance(step, Report) else act(step, NO_CLIENT, actions_with(scene.store))
        if isinstance(step, JoinParts | PutNew | PutOver | RemoveFiles):
            changes.append(number)
    steps.close()
    return changes
