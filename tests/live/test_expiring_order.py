"""In which order windows that expire are archived: the first to go first, whatever the others need."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxUnavailable, WindowsFailed
from airflow_provider_influx_rollup.steps.store import FingerprintSource, PutOver, WriteParts
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import ArchiveScene, facts_of
from tests.scenes.expiring_scene import (
    DAY,
    archived,
    day,
    look_after,
    make_expiring_scene,
    points_of,
    purge_later,
    purge_with_late_points,
)

pytestmark = pytest.mark.live

HOUR = timedelta(hours=1)
HOUR_NS = 3600 * 10**9
BAD = range(4)
STARTS = re.compile(r"range\(start: (\S+),")


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> ArchiveScene:
    return make_expiring_scene(influx, client, tmp_path)


def failing(scene: ArchiveScene, kind: type[Any], window: Interval, error: Exception) -> dict[Any, Any]:
    """Actions in which a step that reads points of a window ends with an error."""
    act = actions_with(scene.store)[kind]

    def acted(client: InfluxClient, step: Any) -> Any:
        # a window may be read in parts
        begins = [found[1] for query in step.points for found in STARTS.finditer(query.flux())]
        if any(window.contains(datetime.fromisoformat(begin)) for begin in begins):
            raise error
        return act(client, step)

    return {kind: acted}


def spoil(scene: ArchiveScene, number: int) -> None:
    """Points that no answer can show as they are."""
    scene.client.write_payload(scene.bucket, b'm,device=a text="a\rb" %d' % day(number).start_ns)


def remembered(scene: ArchiveScene) -> list[dict[str, Any]]:
    """What is said to have failed."""
    return list(json.loads((scene.folder / "expiring.json").read_bytes())["windows"])


def failed_in(scene: ArchiveScene, days_left: float, **more: Any) -> tuple[list[Interval], str]:
    """The windows that a run could not archive, and its error."""
    with pytest.raises(WindowsFailed) as caught:
        look_after(scene, days_left, **more)
    return [window for window, _ in caught.value.failed], str(caught.value)


def test_first_window_is_archived_when_late_points_of_purged_ones_after_it_cannot_be_read(
    scene: ArchiveScene,
) -> None:
    scene.clock = day(2).stop + 2 * DAY
    scene.archive(day(1), day(2))
    late = {number: purge_with_late_points(scene, number) for number in (1, 2)}
    gone = failing(scene, FingerprintSource, day(1), InfluxUnavailable("the server is gone"))
    with pytest.raises(InfluxUnavailable, match="the server is gone"):
        look_after(scene, 0.5, actions=gone)
    assert scene.stored(day(0)) == facts_of(points_of(0))
    assert look_after(scene, 0.5)["archived"] == 2
    for number in (1, 2):
        assert scene.stored(day(number)) == facts_of([*points_of(number), *late[number]])


def test_late_points_are_read_last_when_other_windows_go_at_the_same_moment(scene: ArchiveScene) -> None:
    hours = Grid.of("1h").tile(Interval(day(0).start, day(0).start + 2 * HOUR))
    late = [replace(one, time_ns=one.time_ns + HOUR_NS // 2) for one in points_of(0)]
    scene.clock = day(0).stop + DAY
    scene.archive(hours[0])
    purge_later(scene, hours[0])
    scene.write([*late, *(replace(one, time_ns=one.time_ns + HOUR_NS) for one in points_of(0))])
    gone = failing(scene, FingerprintSource, hours[0], InfluxUnavailable("the server is gone"))
    with pytest.raises(InfluxUnavailable, match="the server is gone"):
        look_after(scene, 0.5, grid=Grid.of("1h"), actions=gone)
    assert (len(scene.manifests(hours[0])), len(scene.manifests(hours[1]))) == (1, 1)
    look_after(scene, 0.5, grid=Grid.of("1h"))
    assert scene.stored(hours[0]) == facts_of([*points_of(0), *late])


def test_windows_that_fail_are_tried_again_in_turn_when_they_are_more_than_max_windows(
    scene: ArchiveScene,
) -> None:
    def run(hours_left: int) -> tuple[list[Interval], str]:
        return failed_in(scene, hours_left / 24, max_windows=1, within=Duration.of("20d"))

    for number in BAD:
        spoil(scene, number)
    failed, told = run(20)
    assert (failed, archived(scene)) == ([day(number) for number in BAD], [4])
    assert f"2 windows were not looked at: {day(5)}, {day(6)}" in told
    failed, told = run(19)
    assert (failed, archived(scene)) == ([day(0)], [4, 5])
    assert f"3 windows that failed before were not tried again: {day(1)}, {day(2)}, {day(3)}" in told
    assert f"1 window was not looked at: {day(6)}" in told
    for hours_left, number in ((18, 1), (17, 2), (16, 3)):
        assert run(hours_left)[0] == [day(number)]
    assert archived(scene) == [4, 5, 6]
    scene.delete(Interval(day(0).start, day(0).start + HOUR))
    scene.write(points_of(0))
    # it is archived as soon as it can be; the others are still told
    failed, told = run(15)
    assert (failed, archived(scene)) == ([], [0, 4, 5, 6])
    assert f"3 windows that failed before were not tried again: {day(1)}, {day(2)}, {day(3)}" in told
    for number in BAD[1:]:
        scene.delete(day(number))
    assert look_after(scene, 0.5)["left"] == 0


def test_window_that_failed_is_tried_again_when_there_are_more_windows_than_places(
    scene: ArchiveScene,
) -> None:
    spoil(scene, 0)
    assert failed_in(scene, 1, max_windows=2, within=Duration.of("20d"))[0] == [day(0)]
    scene.delete(Interval(day(0).start, day(0).start + HOUR))
    scene.write(points_of(0))
    result = look_after(scene, 0.5, max_windows=2, within=Duration.of("20d"))
    assert (archived(scene), result["left"]) == ([0, 1, 2, 3], 3)
    assert result["left_windows"] == [day(number).as_json() for number in (4, 5, 6)]


def test_others_are_archived_when_a_manifest_is_damaged(scene: ArchiveScene) -> None:
    look_after(scene, 1)
    stamp = f"window={day(1).start:%Y%m%dT%H%M%SZ}"
    (manifest,) = (path for path in scene.folder.glob(f"{stamp}_*/gen=1/manifest.json"))
    manifest.write_bytes(b"{}")
    for number in (0, 2):
        scene.write(points_of(number, 5))
    failed, told = failed_in(scene, 0.5)
    assert (failed, "is damaged" in told) == ([day(1)], True)
    for number in (0, 2):
        assert scene.stored(day(number)) == facts_of(points_of(number, 5))


def test_others_are_archived_when_a_window_kills_the_worker_each_time(scene: ArchiveScene) -> None:
    killed = failing(scene, WriteParts, day(0), RuntimeError("out of memory"))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="out of memory"):
            look_after(scene, 1, max_windows=10, actions=killed)
    assert archived(scene) == [1, 2]
    assert look_after(scene, 1, max_windows=10)["windows"] == [day(0).as_json()]


def test_others_are_archived_when_a_window_kills_the_worker_and_a_run_has_one_place(
    scene: ArchiveScene,
) -> None:
    killed = failing(scene, WriteParts, day(0), RuntimeError("out of memory"))
    with pytest.raises(RuntimeError, match="out of memory"):
        look_after(scene, 1, max_windows=1, actions=killed)
    failed, told = failed_in(scene, 1, max_windows=1, actions=killed)
    assert (failed, archived(scene)) == ([], [1])
    for part in (
        f"1 window of {scene.bucket}/{scene.measurement} is not archived, and retention deletes it at ",
        f"1 window that failed before was not tried again: {day(0)}",
        f"1 window was not looked at: {day(2)}",
        "1 other window was archived",
    ):
        assert part in told
    assert f"1 window waits for the next run: {day(2)}" in scene.told
    assert failed_in(scene, 1, max_windows=1, actions=killed)[0] == []
    assert archived(scene) == [1, 2]
    assert look_after(scene, 1, max_windows=1)["windows"] == [day(0).as_json()]


def killed_in_first_hour(scene: ArchiveScene, hours: Grid) -> tuple[Interval, Any]:
    """A day of hours, and a run that died at the first one; what kills a run there again."""
    bad = Interval(day(0).start, day(0).start + HOUR)
    scene.write([replace(one, time_ns=one.time_ns + h * HOUR_NS) for one in points_of(0) for h in range(24)])
    killed = failing(scene, WriteParts, bad, RuntimeError("out of memory"))
    with pytest.raises(RuntimeError, match="out of memory"):
        look_after(scene, 1, max_windows=1, grid=hours, actions=killed)
    return bad, killed


@pytest.mark.parametrize("kills", [True, False])
def test_window_at_which_a_run_died_has_its_turn_while_others_wait_for_the_only_place(
    scene: ArchiveScene, *, kills: bool
) -> None:
    """Fifteen runs with one place, more windows than that: one of these kills each run, or killed the first one alone."""
    hours = Grid.of("1h")
    bad, killed = killed_in_first_hour(scene, hours)
    had_place = []
    for _ in range(15):
        try:
            look_after(scene, 1, max_windows=1, grid=hours, actions=killed if kills else {})
        except WindowsFailed:
            had_place.append("another")
        except RuntimeError:
            had_place.append("killed")
        else:
            had_place.append("itself" if scene.manifests(bad) and "itself" not in had_place else "another")
    tenth = "killed" if kills else "itself"
    assert had_place == ["another"] * 9 + [tenth] + ["another"] * 5
    others = hours.tile(Interval(bad.stop, bad.stop + 15 * HOUR))
    assert [len(scene.manifests(one)) for one in others] == [1] * 14 + [0]
    assert len(scene.manifests(bad)) == (0 if kills else 1)


def test_window_at_which_a_run_died_has_its_turn_when_a_server_is_away_in_each_ninth_run(
    scene: ArchiveScene,
) -> None:
    hours = Grid.of("1h")
    bad, _ = killed_in_first_hour(scene, hours)
    outages = 0
    for number in range(11):
        rest = hours.tile(Interval(bad.stop, bad.stop + 23 * HOUR))
        first = next(one for one in rest if not scene.manifests(one))
        away = failing(scene, FingerprintSource, first, InfluxUnavailable("no answer"))
        try:
            with suppress(WindowsFailed):
                look_after(scene, 1, max_windows=1, grid=hours, actions=away if number % 9 == 8 else {})
        except InfluxUnavailable:
            outages += 1
    assert (outages, len(scene.manifests(bad))) == (1, 1)


def test_failure_is_forgotten_when_another_run_has_archived_the_window(scene: ArchiveScene) -> None:
    spoil(scene, 0)
    assert failed_in(scene, 1)[0] == [day(0)]
    assert [Interval.from_json(one) for one in remembered(scene)] == [day(0)]
    scene.delete(Interval(day(0).start, day(0).start + HOUR))
    scene.write(points_of(0))
    scene.archive(day(0))
    look_after(scene, 0.9)
    assert remembered(scene) == []


def test_window_does_not_count_as_failed_when_the_run_died_right_after_it_was_archived(
    scene: ArchiveScene,
) -> None:
    put, puts = actions_with(scene.store)[PutOver], []

    def dying(client: InfluxClient, step: PutOver) -> Any:
        if step.path.endswith("expiring.json"):
            puts.append(step)
            if len(puts) == 2:
                raise RuntimeError("killed")
        return put(client, step)

    with pytest.raises(RuntimeError, match="killed"):
        look_after(scene, 1, actions={PutOver: dying})
    assert (archived(scene), len(remembered(scene))) == ([0], 1)
    look_after(scene, 1)
    assert remembered(scene) == []


def test_window_does_not_count_as_failed_when_the_server_went_away(scene: ArchiveScene) -> None:
    gone = failing(scene, WriteParts, day(0), InfluxUnavailable("the server is gone"))
    with pytest.raises(InfluxUnavailable, match="the server is gone"):
        look_after(scene, 1, max_windows=1, actions=gone)
    assert remembered(scene) == []
    assert look_after(scene, 1, max_windows=1)["windows"] == [day(0).as_json()]
