"""What becomes of an archive when the window is archived again, at the same time, purged, damaged or too old."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import (
    ArchiveMismatch,
    BucketNotFound,
    ConfigurationError,
    InfluxForbidden,
    WindowFrozen,
    WindowNotDue,
)
from airflow_provider_influx_rollup.lifecycle.archive.state import plan_archive
from airflow_provider_influx_rollup.lifecycle.archive_files.purge_state import PurgeState, write_purge
from airflow_provider_influx_rollup.steps.influx import Write
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import (
    FOLDER,
    WINDOW,
    ArchiveScene,
    facts_of,
    make_archive_scene,
    nothing_published,
    point,
    small_points,
)

pytestmark = pytest.mark.live


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> ArchiveScene:
    return make_archive_scene(influx, client, tmp_path)


def test_generations_follow_the_source_when_it_is_archived_again(scene: ArchiveScene) -> None:
    scene.write(small_points())
    scene.archive()
    first = scene.stored()
    before = scene.files()
    assert (scene.archive()["generation"], scene.archive()["new"]) == (1, 0)
    assert scene.files() == before
    changed = point(0, {"device": "a"}, "temp", -0.0)
    late = point(1, {"device": "new", "site": "x"}, "temp", 7.0)
    scene.write([changed, late])
    result = scene.archive()
    assert (result["generation"], result["new"]) == (2, 1)
    kept = [one for one in small_points() if (one.time_ns, one.field) != (changed.time_ns, "temp")]
    assert scene.stored() == facts_of([*kept, changed, late])
    assert scene.stored(generation=1) == first
    assert scene.manifests()[2]["previous"] == 1
    # the sign of a zero is a change too
    scene.write([point(0, {"device": "a"}, "temp", 0.0)])
    assert scene.archive()["generation"] == 3


def test_window_is_archived_as_empty_when_it_has_no_points(scene: ArchiveScene) -> None:
    # of another time
    scene.write([point(-1, {"device": "a"}, "temp", 1.0)])
    result = scene.archive()
    assert (result["rows_out"], result["series"], result["generation"]) == (0, 0, 1)
    assert scene.stored() == []
    scene.write(small_points())
    assert scene.archive()["generation"] == 2


def test_it_is_refused_when_nobody_knows_the_measurement(scene: ArchiveScene) -> None:
    for more in ({}, {"force": True}):
        with pytest.raises(ConfigurationError, match=r"measurement 'm' does not exist.*correct its name"):
            scene.archive(**more)
    with pytest.raises(ConfigurationError, match="measurement 'm' does not exist"):
        drive(
            plan_archive(scene.spec, [WINDOW]), scene.client, scene.tell, actions_with(scene.store)
        ).as_json()
    assert scene.files() == []
    assert scene.receipts() == {}
    # the archive knows it when the bucket does not
    scene.write(small_points())
    scene.archive()
    scene.delete()
    before = Interval(WINDOW.start - WINDOW.duration, WINDOW.start)
    assert scene.archive(before)["rows_out"] == 0


def test_one_generation_stands_when_two_runs_archive_at_the_same_time(scene: ArchiveScene) -> None:
    scene.write(small_points(200))
    results: list[dict[str, Any]] = []
    start = threading.Barrier(3)

    def run() -> None:
        start.wait()
        results.append(scene.archive())

    threads = [threading.Thread(target=run) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [result["generation"] for result in results] == [1, 1, 1]
    assert sum(result["new"] for result in results) == 1
    assert scene.stored() == facts_of(small_points(200))
    named = {part["name"] for part in scene.manifests()[1]["parts"]}
    assert {path.name for path in scene.files()} == {*named, "manifest.json"}


def test_receipt_tells_of_the_newest_generation_when_a_run_hangs_before_it_writes_its_own(
    scene: ArchiveScene,
) -> None:
    scene.write(small_points())
    newest: dict[str, Any] = {}

    def hanging() -> Any:
        """The steps of an archive that hangs before it writes its receipt."""
        steps = scene.steps()
        step = next(steps)
        with suppress(StopIteration):
            while True:
                if isinstance(step, Write) and not newest:
                    scene.write([point(1, {"device": "late"}, "temp", 7.0)])
                    assert scene.archive()["generation"] == 2
                    newest.update(scene.receipts())
                step = steps.send((yield step))

    drive(hanging(), scene.client, scene.tell, actions_with(scene.store))
    assert scene.receipts() == newest
    (receipt,) = newest.values()
    assert receipt == {"generation": 2, "rows_out": len(small_points()) + 1}


def purge(scene: ArchiveScene, generation: int) -> None:
    """Delete as a purge does: the intent first."""
    folder = f"{scene.spec.folder}/{FOLDER}"
    drive(
        write_purge(folder, PurgeState(generation=generation, state="deleting")),
        scene.client,
        scene.tell,
        actions_with(scene.store),
    )
    scene.delete()
    drive(
        write_purge(folder, PurgeState(generation=generation, state="done")),
        scene.client,
        scene.tell,
        actions_with(scene.store),
    )


def test_late_points_are_added_when_the_window_was_purged(scene: ArchiveScene) -> None:
    old = [*small_points(), point(5, {"gone": "tag"}, "temp", 1.0)]
    scene.write(old)
    scene.archive()
    purge(scene, 1)
    assert scene.rows_in_bucket() == 0
    assert (scene.archive()["generation"], scene.archive()["new"]) == (1, 0)
    late = [
        point(0, {"device": "a"}, "temp", 99.0),  # in place of one that was purged
        point(7, {"device": "z", "another": "tag"}, "count", 3),
    ]
    scene.write(late)
    result = scene.archive()
    kept = [
        one for one in old if (one.time_ns, one.field, one.tags) != (late[0].time_ns, "temp", late[0].tags)
    ]
    assert (result["generation"], result["rows_in"], result["rows_out"]) == (2, 2, len(kept) + 2)
    assert scene.stored() == facts_of([*kept, *late])
    assert scene.stored(generation=1) == facts_of(old)
    assert scene.archive()["new"] == 0
    purge(scene, 2)
    assert scene.archive()["new"] == 0
    scene.write([point(9, {}, "last", True)])
    assert scene.archive()["generation"] == 3
    assert scene.stored() == facts_of([*kept, *late, point(9, {}, "last", True)])


@pytest.fixture
def old_scene(scene: ArchiveScene) -> ArchiveScene:
    """A bucket of 7 days with points of yesterday; the clock says when it is."""
    scene.client.delete(scene.bucket, WINDOW, '_measurement="m"')
    scene.bucket = f"{scene.bucket}_kept"
    scene.client.ensure_bucket(scene.bucket, 7 * 86_400)
    return scene


def yesterday() -> Interval:
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
    return Interval(start, start + timedelta(hours=1))


def test_window_is_refused_or_kept_when_retention_may_have_taken_points(old_scene: ArchiveScene) -> None:
    window = yesterday()
    shift = window.start_ns - WINDOW.start_ns
    points = [point(shift + number, {"device": "a"}, "temp", float(number)) for number in range(4)]
    old_scene.write(points)
    late = datetime.now(UTC) + timedelta(days=30)
    old_scene.clock = late
    with nothing_published(old_scene), pytest.raises(WindowFrozen, match=r"retention.*no archive"):
        old_scene.archive(window)
    assert old_scene.archive(window, force=True)["rows_out"] == 4
    # what retention has left is no reason for a poorer generation, whether forced or not
    old_scene.client.delete(
        old_scene.bucket, Interval(window.start, window.start + timedelta(microseconds=1)), '_measurement="m"'
    )
    assert old_scene.rows_in_bucket() == 0
    old_scene.write([point(shift + 5000, {"device": "a"}, "temp", 5.0)])
    assert old_scene.archive(window)["new"] == 0
    assert any("generation 1 is kept" in text for text in old_scene.told)
    assert old_scene.archive(window, force=True)["rows_out"] == 5
    assert old_scene.stored(window) == facts_of([*points, point(shift + 5000, {"device": "a"}, "temp", 5.0)])


def test_late_points_are_added_one_after_the_other_when_points_are_gone_from_a_bucket_with_retention(
    old_scene: ArchiveScene,
) -> None:
    window = yesterday()
    shift = window.start_ns - WINDOW.start_ns
    points = [point(shift + number, {"device": "a"}, "temp", float(number)) for number in range(4)]
    old_scene.clock = datetime.now(UTC)
    old_scene.write(points)
    old_scene.archive(window)
    old_scene.client.delete(
        old_scene.bucket, Interval(window.start, window.start + timedelta(microseconds=1)), '_measurement="m"'
    )
    for number in (1, 2):
        points.append(point(shift + 5000 * number, {"device": "a"}, "temp", 5.0))
        old_scene.write(points[-1:])
        assert old_scene.archive(window)["new"] == 1
        assert old_scene.stored(window) == facts_of(points)


@pytest.mark.recorded
def test_window_is_not_archived_when_it_has_not_ended_or_the_bucket_is_gone(scene: ArchiveScene) -> None:
    scene.clock = WINDOW.start + timedelta(minutes=5)
    with nothing_published(scene), pytest.raises(WindowNotDue):
        scene.archive()
    scene.clock = None
    scene.bucket = "none-such"
    with nothing_published(scene), pytest.raises(BucketNotFound, match="none-such"):
        scene.archive()


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("spoil", [damage, remove])
def test_generation_is_made_anew_when_its_files_are_damaged_and_the_points_are_there(
    scene: ArchiveScene, spoil: Callable[[Path], None]
) -> None:
    scene.write(small_points())
    scene.archive()
    part = next(path for path in scene.files() if path.suffix == ".parquet")
    spoil(part)
    result = scene.archive()
    assert (result["generation"], result["new"]) == (2, 1)
    assert scene.stored() == facts_of(small_points())
    assert any("damaged and made again" in text and part.name in text for text in scene.told)


@pytest.mark.parametrize("spoil", [damage, remove])
def test_damage_is_an_error_when_the_points_are_purged(
    scene: ArchiveScene, spoil: Callable[[Path], None]
) -> None:
    scene.write(small_points())
    scene.archive()
    purge(scene, 1)
    part = next(path for path in scene.files() if path.suffix == ".parquet")
    spoil(part)
    with pytest.raises(Exception, match=part.name) as caught:
        scene.archive()
    assert type(caught.value).__name__ in ("ArchiveMismatch", "ArchiveMissing")
    assert list(scene.manifests()) == [1]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"generation": 1', b'"generation":1', "bytes were changed"),
        (b'"rows": 3', b'"rows": x', "damaged"),
        (b"influx-rollup-archive/1", b"influx-rollup-archive/2", "bytes were changed"),
        (b'"rows": 3', b'"rows": 4', "bytes were changed"),
    ],
)
def test_archive_stops_when_the_newest_manifest_is_none(
    scene: ArchiveScene, old: bytes, new: bytes, words: str
) -> None:
    scene.write(small_points())
    scene.archive()
    path = next(path for path in scene.files() if path.name == "manifest.json")
    path.write_bytes(path.read_bytes().replace(old, new))
    with nothing_published(scene), pytest.raises(ArchiveMismatch, match=words):
        scene.archive()


def test_error_names_the_window_and_what_is_done_when_the_ledger_takes_nothing(
    scene: ArchiveScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.write(small_points())

    def refuse(*_: Any) -> None:
        what = "writing failed with HTTP 403"
        raise InfluxForbidden(what, written="nothing")

    with monkeypatch.context() as patched:
        patched.setattr(scene.client, "write_lines", refuse)
        with pytest.raises(InfluxForbidden) as caught:
            scene.archive()
    assert (caught.value.window, caught.value.written) == (WINDOW, "generation 1, and no receipt of it")
    assert scene.archive()["new"] == 0
