"""Restored points against the test's own, read back by InfluxQL; the product's code is in neither."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import act, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import (
    ArchiveMismatch,
    ArchiveMissing,
    BucketNotFound,
    ConfigurationError,
    PartialWrite,
    RestoreConflict,
)
from airflow_provider_influx_rollup.lifecycle.restore.restore import restore
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.steps.influx import Gather, Report
from airflow_provider_influx_rollup.steps.store import WritePoints
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.cuts import may_change
from tests.scenes.plain_points import Point, bits_of, values_of
from tests.scenes.restore_scene import DAY, HOUR, START, Scene, hostile_points, hours, make_scene, now

pytestmark = pytest.mark.live

# around the begin of a shard group
BORDER = Interval(START - HOUR, START + HOUR)


@pytest.fixture
def scene(client: InfluxClient, influx: Any, bucket_factory: Callable[[str], str], tmp_path: Path) -> Scene:
    return make_scene(client, influx, bucket_factory, tmp_path)


def simple_points(count: int = 6, *, step_ns: int = 10**9, series: int = 2) -> list[Point]:
    begin = int(START.timestamp()) * 10**9
    return [
        Point((("device", f"d{number}"),), field, kind, value(place), begin + place * step_ns)
        for number in range(series)
        for field, kind, value in (("temp", "float", lambda n: n / 4), ("count", "integer", lambda n: n))
        for place in range(count)
    ]


def read(scene: Scene, bucket: str, points: list[Point]) -> dict[Any, Any]:
    kinds = {point.field: point.kind for point in points}
    return bits_of(scene.plain.read(bucket, scene.measurement), kinds)


def expected(points: list[Point]) -> dict[Any, Any]:
    return bits_of(values_of(points), {point.field: point.kind for point in points})


def test_hostile_points_are_back_when_they_were_archived_and_deleted(scene: Scene) -> None:
    points = hostile_points()
    scene.plain.write(scene.source, scene.measurement, points)
    assert read(scene, scene.source, points) == expected(points)
    scene.archive()
    scene.plain.delete(scene.source, DAY.start, DAY.stop, '_measurement="m x,=é"')
    assert read(scene, scene.source, points) == {}
    result = scene.restore(target_bucket=scene.source).as_json()
    assert read(scene, scene.source, points) == expected(points)
    assert (result["rows_in"], result["rows_out"], result["state"]) == (len(points), len(points), "RESTORED")
    # archived again it is the same generation: the points are the same
    assert scene.archive().as_json()["generation"] == 1
    # and again: nothing to do
    again = scene.restore(target_bucket=scene.source).as_json()
    assert (again["rows_in"], again["rows_out"], again["checksum"]) == (len(points), 0, result["checksum"])


@pytest.mark.recorded
def test_a_field_is_whole_when_its_type_changed_between_shards(scene: Scene) -> None:
    points = [
        Point((), "v", kind, value, int((START + offset).timestamp()) * 10**9 + place)
        for offset, kind, value in ((-HOUR / 2, "float", 1.5), (HOUR / 2, "string", "x"))
        for place in range(3)
    ]
    scene.plain.write(scene.source, scene.measurement, points)
    scene.archive([BORDER])
    assert scene.restore(BORDER).as_json()["rows_out"] == 6
    for start, value in ((START - HOUR, 1.5), (START, "x")):
        found = scene.client.query(
            f'from(bucket: "{scene.target}") |> range(start: {start.isoformat()}, stop: {(start + HOUR).isoformat()})'
        )
        assert [row["_value"] for row in found] == [value] * 3


def test_only_the_points_inside_are_restored_when_the_interval_cuts_windows(scene: Scene) -> None:
    points = simple_points(6, step_ns=20 * 60 * 10**9)
    scene.plain.write(scene.source, scene.measurement, points)
    scene.archive(list(hours(2)))
    part = Interval(START + timedelta(minutes=20), START + timedelta(minutes=80))
    scene.restore(part)
    inside = [point for point in points if part.start_ns <= point.time_ns < part.stop_ns]
    assert len(inside) == 12
    assert read(scene, scene.target, points) == expected(inside)
    # the rest of it: what is there already is left alone
    whole = Interval(START, START + 2 * HOUR)
    assert scene.restore(whole).as_json()["rows_in"] == len(points)
    assert read(scene, scene.target, points) == expected(points)


def test_the_restore_is_refused_when_a_part_was_never_archived(scene: Scene) -> None:
    points = simple_points()
    scene.plain.write(scene.source, scene.measurement, points)
    first, _, third = hours(3)
    scene.archive([first, third])
    whole = Interval(first.start, third.stop)
    with pytest.raises(ArchiveMissing, match="01:00:00Z, 2026-01-05T02:00:00Z"):
        scene.restore(whole)
    assert read(scene, scene.target, points) == {}
    result = scene.restore(whole, allow_missing=True).as_json()
    assert result["missing"] == [{"start": "2026-01-05T01:00:00Z", "stop": "2026-01-05T02:00:00Z"}]
    assert read(scene, scene.target, points) == expected(points)


def test_the_restore_is_refused_when_nothing_was_ever_archived(scene: Scene) -> None:
    with pytest.raises(ArchiveMissing, match=r"has no archive at all.*correct the path, the bucket"):
        scene.restore(next(iter(hours(1))), allow_missing=True)


@pytest.mark.recorded
def test_other_points_are_refused_and_kept_when_overwriting_is_not_asked_for(scene: Scene) -> None:
    points = simple_points()
    scene.plain.write(scene.source, scene.measurement, points)
    scene.archive()
    changed = Point(points[0].tags, "temp", "float", -77.0, points[0].time_ns)
    stranger = Point((("device", "new"),), "temp", "float", 9.0, points[0].time_ns)
    scene.plain.write(scene.target, scene.measurement, [changed, stranger, *points[7:]])
    before = read(scene, scene.target, points)
    with pytest.raises(RestoreConflict) as refused:
        scene.restore()
    text = str(refused.value)
    assert "1 points with another value" in text
    assert "1 points that the archive does not have" in text
    assert "temp=-77.0 of {device=d0} at 2026-01-05T00:00:00.000000000Z (another value)" in text
    assert "Written: nothing" in text
    assert read(scene, scene.target, points) == before
    result = scene.restore(overwrite=True).as_json()
    assert (result["replaced"], result["unknown"]) == (1, 1)
    assert "1 had another value, 1 are not in the archive and stay" in scene.reports[-1]
    assert read(scene, scene.target, points) == expected([*points, stranger])


def test_nothing_is_written_when_a_byte_of_a_file_was_flipped(scene: Scene) -> None:
    points = simple_points(200)
    scene.plain.write(scene.source, scene.measurement, points)
    scene.archive()
    for path in scene.parquet_files():
        whole = path.read_bytes()
        for place in range(0, len(whole), max(1, len(whole) // 15)):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            with pytest.raises(ArchiveMismatch):
                scene.restore()
        path.write_bytes(whole)
    manifest = next(scene.folder.rglob("manifest.json"))
    text = manifest.read_text()
    manifest.write_text(text.replace('"rows": 400', '"rows": 399'))
    with pytest.raises(ArchiveMismatch):
        scene.restore()
    assert read(scene, scene.target, points) == {}
    manifest.write_text(text)
    scene.restore()
    assert read(scene, scene.target, points) == expected(points)


def test_a_rerun_finishes_when_the_run_was_cut_at_any_step(scene: Scene) -> None:
    # one window, of which each half is written and proven on its own
    points = [
        Point((("device", "d"),), "temp", "float", number / 4, BORDER.start_ns + number * 20 * 60 * 10**9)
        for number in range(6)
    ]
    scene.plain.write(scene.source, scene.measurement, points)
    scene.archive([BORDER])
    actions = actions_with(scene.store)
    cut = 0
    while True:
        bucket = f"{scene.target}_{cut}"
        scene.client.ensure_bucket(bucket)
        steps = restore(scene.spec(target_bucket=bucket), BORDER, RunInfo(), now)
        ended = _run_steps(steps, scene.client, actions, cut)
        scene.restore(BORDER, target_bucket=bucket)
        assert read(scene, bucket, points) == expected(points)
        if ended:
            break
        cut += 1
    assert cut > 3


def _run_steps(steps: Any, client: InfluxClient, actions: Any, most: int) -> bool:
    """Act out until so many changes are done, and stop before the next one as a killed process does; whether the verb ended."""
    answer = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration:
            return True
        if may_change(step) and not most:
            steps.close()
            return False
        most -= may_change(step)
        answer = None if isinstance(step, Report) else act(step, client, actions)
        assert answer is None or not isinstance(step, Gather) or len(answer) == len(step.steps)


def test_what_was_written_is_told_when_the_target_has_another_type(scene: Scene) -> None:
    points = simple_points()
    scene.plain.write(scene.source, scene.measurement, points)
    scene.archive()
    other = Point((("device", "z"),), "temp", "string", "x", int((START - HOUR).timestamp()) * 10**9)
    scene.client.ensure_bucket(scene.target)
    before = Interval(START - timedelta(days=7), START)
    assert before.contains(START - HOUR)
    same_shard = Point(other.tags, "temp", "string", "x", int((START + 30 * HOUR).timestamp()) * 10**9)
    scene.plain.write(scene.target, scene.measurement, [same_shard])
    with pytest.raises(RestoreConflict, match="another type") as refused:
        scene.restore()
    # the server drops whole lines, with all fields of their series and times
    written = "Written: 0 points by earlier requests; by this one: all of the batch but 12 points"
    assert written in str(refused.value)
    assert scene.plain.read(scene.target, scene.measurement) == {same_shard.key: "x"}


def test_the_restore_is_refused_when_the_target_keeps_points_too_short(scene: Scene) -> None:
    scene.plain.write(scene.source, scene.measurement, simple_points())
    scene.archive()
    short = f"{scene.target}_short"
    scene.client.ensure_bucket(short, 3600)
    with pytest.raises(ConfigurationError, match="drops older ones"):
        scene.restore(target_bucket=short)
    with pytest.raises(BucketNotFound):
        scene.restore(target_bucket=f"{scene.target}_none")


def test_the_proof_fails_when_another_point_comes_while_it_is_written(scene: Scene) -> None:
    points = simple_points()
    scene.plain.write(scene.source, scene.measurement, points)
    scene.archive()
    actions = dict(actions_with(scene.store))
    write = actions[WritePoints]

    def disturbed(client: InfluxClient, step: Any) -> Any:
        sent = write(client, step)
        stranger = Point((("device", "new"),), "temp", "float", 9.0, points[0].time_ns)
        scene.plain.write(scene.target, scene.measurement, [stranger])
        return sent

    actions[WritePoints] = disturbed
    steps = restore(scene.spec(), DAY, RunInfo(), now)
    with pytest.raises(PartialWrite, match=r"1 series .* field 'temp' \(float\): 12 in the archive, 13"):
        drive(steps, scene.client, lambda _: None, actions)


def test_ten_thousand_series_are_back_when_restored(scene: Scene) -> None:
    points = [point for point in simple_points(1, series=10_000) if point.field == "temp"]
    scene.plain.write(scene.source, "m", points)
    scene.measurement = "m"
    scene.archive()
    result = scene.restore().as_json()
    assert (result["series"], result["rows_out"]) == (10_000, 10_000)
    assert read(scene, scene.target, points) == expected(points)
