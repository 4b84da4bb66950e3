"""A compacted archive and an erasure: no series comes back from the large windows, and nothing else is lost."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import act, drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.lifecycle.erase.erase import EraseRun, erase
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Step, Steps
from airflow_provider_influx_rollup.steps.store import JoinParts, PutNew
from airflow_provider_influx_rollup.stores.actions import actions_with
from tests.conftest import InfluxServer
from tests.live.test_export import exported, table_points
from tests.scenes.archive_scene import RUN, VERSIONS, facts_of, read_facts
from tests.scenes.compact_scene import DAY, CompactScene, hour, make_compact_scene

pytestmark = pytest.mark.live


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> CompactScene:
    return make_compact_scene(influx, client, tmp_path / "archive")


def erase_device(scene: CompactScene, device: str) -> dict[str, Any]:
    spec = EraseSpec(archive=scene.spec, tags={"device": device}, pipelines=())
    by = EraseRun(info=RUN, now=scene.now, versions=VERSIONS, salt=b"0123456789abcdef", key=None)
    result = dict(drive(erase(spec, by), scene.client, scene.tell, actions_with(scene.store)).as_json())
    scene.points = [one for one in scene.points if dict(one.tags).get("device") != device]
    return result


def devices_in_files(scene: CompactScene) -> set[str | None]:
    return {
        dict(facts[1]).get("device") for path in scene.base.rglob("*.parquet") for facts in read_facts(path)
    }


def test_erased_series_stay_away_when_windows_were_compacted(scene: CompactScene, tmp_path: Path) -> None:
    table = tmp_path / "table"
    scene.compact()
    exported(scene, table)
    erase_device(scene, "b")
    assert devices_in_files(scene) == {"a", None}
    assert scene.read() == facts_of(scene.points)
    assert scene.archive(*(hour(number) for number in scene.hours))["new"] == 0
    made = scene.compact()
    assert (made["new"], scene.stored(DAY), scene.read()) == (
        1,
        facts_of(scene.points),
        facts_of(scene.points),
    )
    assert scene.compact()["new"] == 0
    assert not any(one.problem for one in scene.checked())
    # the table gets rid of them with the next export
    assert exported(scene, table)["replaced"] == 2
    assert table_points(table) == facts_of(scene.points)
    assert exported(scene, table)["commits"] == 0


def going(scene: CompactScene, steps: Steps[Any], until: Callable[[list[Step]], bool]) -> Callable[[], None]:
    """Act steps out until what was acted out is enough; the result acts the others out."""
    actions = actions_with(scene.store)
    done: list[Step] = []
    send = partial(steps.send, None)

    def advance() -> bool:
        nonlocal send
        try:
            step = send()
        except StopIteration:
            return False
        try:
            answer = scene.tell(step) if isinstance(step, Report) else act(step, scene.client, actions)
            send = partial(steps.send, answer)
        except InfluxRollupError as error:
            send = partial(steps.throw, error)
        done.append(step)
        return True

    def finish() -> None:
        while advance():
            continue

    while not until(done) and advance():
        continue
    return finish


def is_joined(done: list[Step]) -> bool:
    return any(isinstance(step, JoinParts) for step in done)


def is_about_to_publish(done: list[Step]) -> bool:
    return is_joined(done) and isinstance(done[-1], PutNew)


def has_fences(count: int) -> Callable[[list[Step]], bool]:
    """Whether an erasure has put so many fences."""

    def until(done: list[Step]) -> bool:
        puts = [step for step in done if isinstance(step, PutNew) and "/erasures/" in step.path]
        return sum(not step.data for step in puts) >= count

    return until


def erasure(scene: CompactScene) -> Steps[Any]:
    spec = EraseSpec(archive=scene.spec, tags={"device": "b"}, pipelines=())
    return erase(spec, EraseRun(info=RUN, now=scene.now, versions=VERSIONS, salt=b"0123456789abcdef"))


def require_erased(scene: CompactScene) -> None:
    scene.points = [one for one in scene.points if dict(one.tags).get("device") != "b"]
    assert devices_in_files(scene) == {"a", None}
    scene.compact()
    assert scene.read() == facts_of(scene.points)
    assert not any(one.problem for one in scene.checked())


@pytest.mark.recorded("1-is_joined")
@pytest.mark.parametrize("compacted_until", [is_joined, is_about_to_publish])
@pytest.mark.parametrize("fences", [0, 1, 2])
def test_erased_series_stay_away_when_a_compaction_goes_on_meanwhile(
    scene: CompactScene, fences: int, compacted_until: Callable[[list[Step]], bool]
) -> None:
    finish_erasure = going(scene, erasure(scene), has_fences(fences))
    finish_compaction = going(scene, scene.compact_steps(), compacted_until)
    finish_erasure()
    finish_compaction()
    require_erased(scene)


@pytest.mark.parametrize("fences", [0, 1])
def test_erased_series_stay_away_when_a_compaction_writes_what_it_read_before(
    scene: CompactScene, fences: int
) -> None:
    finish_erasure = going(scene, erasure(scene), has_fences(fences))
    before = set(scene.base.rglob("*.parquet"))
    finish_compaction = going(scene, scene.compact_steps(), is_joined)
    # as if it had read all of the small files, and written nothing yet
    written = {path: path.read_bytes() for path in set(scene.base.rglob("*.parquet")) - before}
    assert written
    for path in written:
        path.unlink()
    finish_erasure()
    for path, data in written.items():
        path.write_bytes(data)
    finish_compaction()
    require_erased(scene)
