"""Windows that retention is about to delete, with a clock that the test sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError, StoreForbidden, WindowsFailed
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.archive_scene import ArchiveScene, facts_of
from tests.scenes.expiring_scene import (
    DAY,
    FIRST,
    RETENTION_DAYS,
    archived,
    day,
    look_after,
    make_expiring_scene,
    points_of,
    purge_with_late_points,
)

pytestmark = pytest.mark.live

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> ArchiveScene:
    return make_expiring_scene(influx, client, tmp_path)


@pytest.fixture
def run(scene: ArchiveScene) -> Run:
    return partial(look_after, scene)


def test_windows_are_archived_oldest_first_when_retention_will_delete_them(
    scene: ArchiveScene, run: Run
) -> None:
    assert run(days_left=3.5)["expiring"] == 0
    result = run(days_left=2, max_windows=1)
    assert (result["expiring"], result["archived"], result["left"]) == (2, 1, 1)
    assert result["windows"] == [day(0).as_json()]
    # a day later than the first, as its points are
    assert datetime.fromisoformat(result["next_deletion"]) == day(1).stop + RETENTION_DAYS * DAY
    assert archived(scene) == [0]
    assert any("1 window waits" in text for text in scene.told)
    assert run(days_left=2)["windows"] == [day(1).as_json()]
    assert run(days_left=1)["archived"] == 1
    assert (run(days_left=1)["archived"], archived(scene)) == (0, [0, 1, 2])
    for number in range(3):
        assert scene.stored(day(number)) == facts_of(points_of(number))


def test_window_is_archived_again_when_points_came_since(scene: ArchiveScene, run: Run) -> None:
    run(days_left=2)
    scene.write(points_of(1, 5))
    assert run(days_left=2)["windows"] == [day(1).as_json()]
    assert set(scene.manifests(day(1))) == {1, 2}
    assert scene.stored(day(1)) == facts_of(points_of(1, 5))


def late_points_of_purged(scene: ArchiveScene, run: Run) -> list[Any]:
    """The first day is purged, and as many other points of it come late."""
    run(3)
    return purge_with_late_points(scene, 0)


def test_late_points_are_archived_when_they_are_as_many_as_were_purged(scene: ArchiveScene, run: Run) -> None:
    late = late_points_of_purged(scene, run)
    assert run(1)["expiring"] > 0
    assert scene.stored(day(0)) == facts_of([*points_of(0), *late])


def test_next_window_is_archived_when_late_points_of_a_purged_one_are(scene: ArchiveScene, run: Run) -> None:
    late_points_of_purged(scene, run)
    for number in range(3):
        assert run(days_left=1, max_windows=1)["windows"] == [day(number).as_json()]
    assert run(days_left=1, max_windows=1)["archived"] == 0


def test_next_window_is_archived_when_late_points_of_a_purged_one_cannot_be(
    scene: ArchiveScene, run: Run
) -> None:
    late_points_of_purged(scene, run)
    run(days_left=1, max_windows=1)
    noon = day(0).start + DAY / 2
    scene.delete(Interval(noon, noon + timedelta(microseconds=1)))
    lines = [b'm,device=a text="a\rb" %d' % (day(0).start_ns + second) for second in range(3)]
    scene.client.write_payload(scene.bucket, b"\n".join(lines))
    for number in (1, 2):
        with pytest.raises(WindowsFailed, match="carriage return") as caught:
            run(days_left=1, max_windows=1)
        assert [window for window, _ in caught.value.failed] == [day(0)]
        assert archived(scene) == [0, *range(1, number + 1)]


def test_it_is_refused_when_nobody_knows_the_measurement(scene: ArchiveScene, run: Run) -> None:
    with pytest.raises(ConfigurationError, match="measurement 'mm' does not exist"):
        run(days_left=2, spec=replace(scene.spec, measurement="mm"))


def test_nothing_is_written_when_it_is_a_dry_run(scene: ArchiveScene, run: Run) -> None:
    result = run(days_left=2, dry_run=True)
    assert (result["expiring"], result["archived"], result["left"]) == (2, 0, 2)
    assert scene.files() == []


def test_task_fails_and_names_the_windows_when_they_cannot_be_archived(scene: ArchiveScene, run: Run) -> None:
    scene.client.write_payload(scene.bucket, b'm,device=a text="a\rb" %d' % day(0).start_ns)
    scene.client.write_payload(scene.bucket, b'm,device=a text="a\rb" %d' % day(2).start_ns)
    with pytest.raises(WindowsFailed, match="carriage return") as caught:
        run(days_left=1)
    assert [window for window, _ in caught.value.failed] == [day(0), day(2)]
    assert str(day(0)) in str(caught.value)
    assert str(day(2)) in str(caught.value)
    assert str(day(1)) not in str(caught.value)
    assert f"deletes the first at {(FIRST + DAY + RETENTION_DAYS * DAY):%Y-%m-%dT}" in str(caught.value)
    assert "1 other window was archived" in str(caught.value)
    assert caught.value.permanent
    assert archived(scene) == [1]


def test_task_fails_when_it_is_too_late_for_a_window(scene: ArchiveScene, run: Run) -> None:
    run(days_left=3, max_windows=1)
    scene.write(points_of(0, 5))
    with pytest.raises(WindowsFailed, match="holds 3 of the 5") as caught:
        run(days_left=-1)
    assert [window for window, _ in caught.value.failed] == [day(0), day(1)]
    # the others are archived anyway
    assert archived(scene) == [0, 2, 3, 4]
    # what is left of the two, when somebody says so
    result = run(days_left=-1, spec=scene.spec.__class__(**{**scene.spec.as_json(), "force": True}))
    assert result["archived"] == 2
    assert scene.stored(day(0)) == facts_of(points_of(0, 5))
    assert run(days_left=-1)["archived"] == 0


def test_task_fails_when_it_is_too_late_for_late_points_of_a_purged_window(
    scene: ArchiveScene, run: Run
) -> None:
    late = late_points_of_purged(scene, run)[1:]
    # fewer than were purged
    noon = day(0).start + DAY / 2
    scene.delete(Interval(noon, noon + timedelta(microseconds=1)))
    scene.write(late)
    with pytest.raises(WindowsFailed, match="holds 0 of the 2") as caught:
        run(days_left=-0.5)
    assert [window for window, _ in caught.value.failed] == [day(0)]
    run(days_left=-0.5, spec=replace(scene.spec, force=True))
    assert scene.stored(day(0)) == facts_of([*points_of(0), *late])
    assert run(days_left=-0.5)["archived"] == 0


def test_nothing_is_late_when_retention_takes_what_is_archived(scene: ArchiveScene, run: Run) -> None:
    run(days_left=1)
    scene.delete(Interval(day(0).start, day(0).start + timedelta(microseconds=1)))
    scene.write(points_of(0, 2))
    assert run(days_left=-0.5)["windows"] == [day(3).as_json()]
    assert scene.stored(day(0)) == facts_of(points_of(0))


def test_run_ends_at_once_when_the_store_refuses(scene: ArchiveScene, run: Run) -> None:
    scene.base.write_text("a file")
    with pytest.raises(StoreForbidden, match=str(scene.base)):
        run(days_left=2)


def test_nothing_expires_when_the_bucket_keeps_for_ever_or_windows_are_not_due(
    scene: ArchiveScene, run: Run
) -> None:
    scene.bucket = scene.bucket.removesuffix("_kept")
    assert run(days_left=-100)["expiring"] == 0
    scene.bucket += "_kept"
    # all of the bucket expires within 40 days, but only whole days that have ended are looked at
    result = run(days_left=RETENTION_DAYS - 3.5, within=Duration.of("40d"))
    assert (result["expiring"], archived(scene)) == (4, [0, 1, 2, 3])
