"""Runs that die between any two steps of an erasure, and archives that run at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow.parquet as pq
import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, SourceChanging
from airflow_provider_influx_rollup.steps.influx import Delete
from airflow_provider_influx_rollup.steps.store import WriteParts
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import WINDOW, facts_of, point, read_facts, sorted_facts
from tests.scenes.cuts import cut, may_change
from tests.scenes.erase_scene import EraseScene, Going, make_erase_scene
from tests.scenes.purge_scene import HOUR

pytestmark = pytest.mark.live

MAX_CUTS = 45
MAX_ARCHIVE_STEPS = 40


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> EraseScene:
    return make_erase_scene(influx, client, tmp_path)


def customer(number: int) -> dict[str, str]:
    return {"customer": f"c{number}"}


def left_of(scene: EraseScene, number: int) -> list[object]:
    """Points of a customer anywhere."""
    scene.tags = customer(number)
    wanted = set(scene.tags.items())
    rows = [*scene.rows(), *scene.rows(scene.rolled, "m"), *scene.rows(scene.rolled, "m_daily")]
    return [row for row in rows if wanted <= set(row[1])] + [None] * scene.customers_in_files()


def erasures(scene: EraseScene) -> Iterator[tuple[int, Going]]:
    """An erasure of another customer each time, stopped before one more of the steps that change something."""
    for number in range(MAX_CUTS):
        scene.tags = customer(number)
        stepper = Going(scene, scene.erase_steps())
        if not cut(stepper, may_change, number) or stepper.pending is None:
            assert number > 12
            return
        yield number, stepper
    pytest.fail("the erasure has more steps than there are customers")


def test_rerun_finishes_when_a_run_dies_between_any_two_steps(
    scene: EraseScene, influx: InfluxServer, client: InfluxClient, tmp_path: Path
) -> None:
    mine = [point(n, customer(n), "temp", float(n)) for n in range(MAX_CUTS)]
    stays = [point(5, {"customer": "7"}, "temp", 0.5)]
    scene.add(*mine, *stays)
    scene.roll(scene.hourly, WINDOW)
    scene.archive(WINDOW)
    for number, stepper in erasures(scene):
        stepper.steps.close()
        if number % 4 == 1:
            # what runs in between finds either state
            scene.archive(WINDOW)
            scene.reconcile(scene.hourly, WINDOW)
        result = scene.erase()
        assert result["certificate"]["number"] == number + 1, stepper.seen
        assert result["kept"] == {}
        assert scene.pending() == []
    # the last one was not stopped
    count = number + 2
    assert [one["deleted"]["rows"] for one in scene.erase_certificates()] == [1] * count
    scene.require_chain()
    twin = make_erase_scene(influx, client, tmp_path)
    twin.add(*mine[count:], *stays)
    twin.roll(twin.hourly, WINDOW)
    assert scene.rows() == twin.rows()
    assert scene.rows(scene.rolled, "m") == twin.rows(twin.rolled, "m")
    assert scene.receipt_rows("hourly") == twin.receipt_rows("hourly")
    filed = (facts for path in scene.all_parquet() for facts in read_facts(path))
    assert sorted_facts(filed) == facts_of([*mine[count:], *stays])


@pytest.mark.parametrize("is_archived", [False, True], ids=["first archive", "changed source"])
def test_archive_never_brings_series_back_when_it_runs_at_the_same_time(
    scene: EraseScene, *, is_archived: bool
) -> None:
    windows = [
        Interval(WINDOW.start + timedelta(hours=n), WINDOW.start + timedelta(hours=n + 1))
        for n in range(MAX_ARCHIVE_STEPS)
    ]
    # the archive is there, and the measurement is known
    scene.add(point(-1, {"customer": "7"}, "temp", 7.0))
    scene.archive(Interval(WINDOW.start - timedelta(hours=1), WINDOW.start))
    for number, window in enumerate(windows):
        stays = point(number * HOUR + 1, {"customer": "7"}, "temp", 7.0)
        scene.add(stays)
        if is_archived:
            scene.archive(window)
        scene.add(point(number * HOUR, customer(number), "temp", float(number)))
        stepper = Going(scene, scene.steps(window))
        while not any(isinstance(step, WriteParts) for step in getattr(stepper.pending, "steps", ())):
            stepper.advance()
        # both archives go through nearly the same steps
        ended = not stepper.advance_to((number + 1) * (2 if is_archived else 1))
        scene.tags = customer(number)
        scene.erase(interval=window, require_archive=False)
        stepper.finish()
        assert left_of(scene, number) == [], stepper.seen
        # the next archive has all the others
        scene.archive(window)
        assert left_of(scene, number) == []
        assert scene.stored(window) == [stays.facts], stepper.seen
        if ended:
            return
    pytest.fail("the archive has more steps than there are windows")


def test_points_are_erased_too_when_they_come_while_the_series_are(scene: EraseScene) -> None:
    scene.fill()
    stepper = Going(scene, scene.erase_steps())
    late = 0
    while stepper.advance():
        if stepper.seen[-2] == "PutNew" and late < 1:
            late += 1
            scene.add(point(11, {"customer": "42", "device": "late"}, "temp", 1.0))
    assert late == 1
    assert {row for row in scene.rows() if ("customer", "42") in row[1]} == set()
    (certificate,) = scene.erase_certificates()
    assert certificate["checks"]["rounds"] == 2
    assert certificate["deleted"]["rows"] == 13


class ErasedMeanwhile(InfluxClient):
    """What the first query of raw points returns is given on after the series were erased, and that is certified."""

    def __init__(self, scene: EraseScene) -> None:
        self._scene = scene
        self._client = scene.client
        self._is_first = Lock()

    def __getattribute__(self, name: str) -> Any:
        own = ("_scene", "_client", "_is_first", "stream_arrow")
        return object.__getattribute__(self, name) if name in own else getattr(self._client, name)

    def stream_arrow(self, flux: str) -> Any:
        with closing(self._client.stream_arrow(flux)) as tables:
            found = list(tables)
        if self._is_first.acquire(blocking=False):
            drive(self._scene.erase_steps(), self._client, self._scene.tell, actions_with(self._scene.store))
        yield from found


def writing_what_was_erased(scene: EraseScene) -> Going:
    """An archive whose files are written after the erasure of what was read for them."""
    scene.fill()
    scene.land()
    stepper = Going(scene, scene.steps(WINDOW))
    while not any(isinstance(step, WriteParts) for step in getattr(stepper.pending, "steps", ())):
        stepper.advance()
    client, scene.client = scene.client, ErasedMeanwhile(scene)
    stepper.advance()
    scene.client = client
    assert len(scene.erase_certificates()) == 1
    assert scene.customers_in_files() > 0
    return stepper


def test_archive_removes_what_it_wrote_of_erased_points_before_it_does_anything_else(
    scene: EraseScene,
) -> None:
    stepper = writing_what_was_erased(scene)
    before = len(stepper.seen)
    while scene.customers_in_files():
        stepper.advance()
    assert set(stepper.seen[before - 1 : -1]) <= {"ListFolder", "ReadBytes", "Report", "RemoveFiles"}
    stepper.finish()
    assert scene.customers_in_files() == 0
    assert scene.verified() == []


@pytest.mark.parametrize("verb", ["archive", "erase"])
def test_file_of_an_archive_that_died_after_the_erasure_is_removed_by_the_next_run(
    scene: EraseScene, verb: str
) -> None:
    writing_what_was_erased(scene).steps.close()
    if verb == "archive":
        scene.archive(WINDOW)
    else:
        assert scene.erase()["certificate"]["number"] == 2
    assert scene.customers_in_files() == 0
    assert scene.verified() == []


def land_at_each_delete(stepper: Going) -> None:
    """A point comes each time that the rows of a target are deleted."""
    while stepper.advance():
        if isinstance(stepper.pending, Delete) and stepper.pending.bucket == stepper.scene.rolled:
            stepper.scene.add(point(11, {"customer": "42", "device": "late"}, "temp", 1.0))


def test_nothing_is_certified_when_points_keep_coming(scene: EraseScene) -> None:
    scene.fill()
    stepper = Going(scene, scene.erase_steps())
    with pytest.raises(SourceChanging, match="stop what writes"):
        land_at_each_delete(stepper)
    assert scene.erase_certificates() == []
    assert scene.erase()["certificate"]["number"] == 1
    assert scene.pending() == []


def write_at_each_step(stepper: Going, path: Path) -> None:
    """A file that grows as long as the erasure goes on."""
    while stepper.advance():
        path.write_bytes(b"PAR1")


def test_files_that_a_run_writes_are_called_so_when_they_keep_coming(scene: EraseScene) -> None:
    scene.fill()
    growing = scene.folder / "window=20250308T000000Z_20250308T010000Z" / "gen=9" / "float-1.parquet"
    growing.parent.mkdir()
    growing.write_bytes(b"PAR1")
    planned = scene.erase(dry_run=True)
    assert sum(place.startswith("attempts ") for place in planned["places"]) == 1
    assert any("is writing them" in text for text in scene.told)
    stepper = Going(scene, scene.erase_steps())
    with pytest.raises(SourceChanging, match="a run was writing files of archived windows"):
        write_at_each_step(stepper, growing)
    growing.unlink()
    assert scene.erase()["certificate"]["number"] == 1


def test_files_without_the_series_stay_when_a_run_is_about_to_publish(scene: EraseScene) -> None:
    scene.add(point(1, {"customer": "7"}, "temp", 1.0))
    scene.archive(WINDOW)
    before = scene.files()
    scene.add(point(2, scene.tags, "temp", 1.0))
    stepper = Going(scene, scene.steps(WINDOW))
    while not any(isinstance(step, WriteParts) for step in getattr(stepper.pending, "steps", ())):
        stepper.advance()
    stepper.advance()
    scene.erase()
    assert set(before) <= set(scene.files())
    stepper.finish()
    assert set(before) <= set(scene.files())
    assert scene.customers_in_files() == 0
    assert scene.verified() == []


def test_error_says_what_is_deleted_when_a_file_was_changed(scene: EraseScene) -> None:
    scene.fill()
    before = scene.rows()
    path = next(one for one in scene.all_parquet() if one.name.startswith("float"))
    data = path.read_bytes()
    pq.write_table(pq.read_table(path), path)
    for is_dry in (True, False):
        with pytest.raises(ArchiveMismatch, match="not the file") as caught:
            scene.erase(dry_run=is_dry)
        assert caught.value.written == "nothing"
    assert (scene.rows(), scene.pending()) == (before, [])
    path.write_bytes(data)
    stepper = Going(scene, scene.erase_steps())
    while stepper.seen[-2:-1] != ["Delete"]:
        stepper.advance()
    pq.write_table(pq.read_table(path), path)
    with pytest.raises(ArchiveMismatch, match="points of the bucket, files of the archive; a rerun resumes"):
        stepper.finish()
    path.write_bytes(data)
    assert scene.erase()["certificate"]["number"] == 1
    assert scene.customers_in_files() == 0
