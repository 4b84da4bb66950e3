"""Values of an erased series that a run had put aside when it died: they are in no record any more, and do not come back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import SourceChanging
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.steps.influx import Delete, Write
from tests.conftest import InfluxServer
from tests.oracle import query
from tests.scenes.archive_scene import RUN, point
from tests.scenes.erase_scene import CUSTOMER, ERASED_AT, HOURS, EraseScene, Going, make_erase_scene
from tests.scenes.purge_scene import ALWAYS, HOUR

pytestmark = pytest.mark.live

#: of the customer, whose first device has no points any more
DEVICES = [{**CUSTOMER, "device": "a"}, {**CUSTOMER, "device": "b"}, {"customer": "7", "device": "a"}]


@pytest.fixture
def scene(influx: InfluxServer, client: InfluxClient, tmp_path: Path) -> EraseScene:
    return make_erase_scene(influx, client, tmp_path)


def other(scene: EraseScene) -> RollupSpec:
    """Another pipeline in the same points."""
    return replace(scene.hourly, pipeline="other", aggregates={"temp": ("max",)})


def records(scene: EraseScene) -> list[str]:
    """What runs have put aside."""
    flux = f'from(bucket: "{scene.ledger}") |> {ALWAYS} |> filter(fn: (r) => r._measurement == "ghost_survivors")'
    return [row["_value"] for row in query(scene.server.url, scene.server.org, scene.server.token, flux)]


def about_to_delete(scene: EraseScene, *, takes: dict[str, str]) -> Going:
    """A run that is about to delete the stale rows of some series, and with them what is not its own."""
    scene.add(*(point(1 + n, tags, "temp", float(n)) for n, tags in enumerate(DEVICES)))
    for spec in (scene.hourly, other(scene)):
        scene.roll(spec, HOURS[0])
    where = " AND ".join(f'{key}="{value}"' for key, value in takes.items())
    scene.client.delete(scene.bucket, HOURS[0], f'_measurement="{scene.measurement}" AND {where}')
    run = Going(scene, roll_up(scene.hourly, HOURS[0], RUN, lambda: ERASED_AT))
    while not (isinstance(run.pending, Delete) and run.pending.bucket == scene.rolled):
        assert run.advance()
    return run


def die_after_a_delete(scene: EraseScene, *, takes: dict[str, str]) -> None:
    """The run dies before it writes back what is not its own."""
    about_to_delete(scene, takes=takes).advance()


def erase_twice(scene: EraseScene) -> None:
    """The first try finds the run, and the second one takes it for dead."""
    with pytest.raises(SourceChanging):
        scene.erase(require_archive=False, now=ERASED_AT + (HOURS[0].stop - HOURS[0].start))
    scene.erase(require_archive=False, now=ERASED_AT + 2 * (HOURS[0].stop - HOURS[0].start))


def of_customer(scene: EraseScene) -> list[object]:
    return [row for row in scene.rows(scene.rolled) if set(CUSTOMER.items()) <= set(row[1])]


def test_values_that_a_dead_run_had_put_aside_are_erased_too(scene: EraseScene) -> None:
    die_after_a_delete(scene, takes=DEVICES[0])
    assert any('"42"' in text for text in records(scene))
    erase_twice(scene)
    assert not any('"42"' in text for text in records(scene))
    (certificate,) = scene.erase_certificates()
    assert certificate["records"]["ghost_survivors"] == 1
    (receipt,) = scene.receipt_rows("other").values()
    values = [row for row in scene.rows(scene.rolled) if row[2] == "temp_max"]
    assert (receipt["state"], int(receipt["rows_out"]), int(receipt["rows_in"])) == (
        "COMMITTED",
        len(values),
        1,
    )
    for spec in (scene.hourly, other(scene)):
        scene.roll(spec, HOURS[0])
    assert of_customer(scene) == []
    assert records(scene) == []


def test_values_of_others_that_a_dead_run_had_put_aside_come_back_after_an_erasure(scene: EraseScene) -> None:
    die_after_a_delete(scene, takes=DEVICES[2])
    before = {row for row in scene.rows(scene.rolled) if row[2] == "temp_max"}
    erase_twice(scene)
    scene.roll(scene.hourly, HOURS[0])
    (back,) = {row for row in scene.rows(scene.rolled) if row[2] == "temp_max"} - before
    assert dict(back[1]) == DEVICES[2]


def test_record_that_its_run_forgets_before_an_erasure_writes_it_again_is_gone(scene: EraseScene) -> None:
    run = about_to_delete(scene, takes=DEVICES[0])
    erasure = Going(scene, scene.erase_steps(require_archive=False))
    while not (isinstance(erasure.pending, Write) and "ghost_survivors" in erasure.pending.lines[0]):
        assert erasure.advance()
    # it has read the record; the run goes on to its end
    run.finish()
    assert records(scene) == []
    erasure.finish()
    assert records(scene) == []
    assert of_customer(scene) == []


def test_erasure_waits_for_a_run_that_has_rows_of_the_series_in_its_memory_and_their_points_are_gone(
    scene: EraseScene,
) -> None:
    """The source has points of the customer in the next hour alone."""
    scene.add(point(HOUR + 1, DEVICES[1], "temp", 5.0))
    run = about_to_delete(scene, takes=CUSTOMER)
    with pytest.raises(SourceChanging):
        scene.erase(require_archive=False)
    # it writes back what the other pipeline had there
    run.finish()
    assert of_customer(scene) != []
    scene.roll(other(scene), HOURS[0])
    scene.erase(require_archive=False)
    assert of_customer(scene) == []
    assert not any('"42"' in text for text in records(scene))


def test_erasure_waits_for_a_run_that_reads_rows_of_the_series_right_before_they_go(
    scene: EraseScene,
) -> None:
    """The run claims the window when the erasure has looked who is writing, and puts the rows aside when it has looked for those."""
    scene.add(*(point(1 + n, tags, "temp", float(n)) for n, tags in enumerate(DEVICES)))
    for spec in (scene.hourly, other(scene)):
        scene.roll(spec, HOURS[0])
    erasure = Going(scene, scene.erase_steps(require_archive=False))
    while not (isinstance(erasure.pending, Delete) and erasure.pending.bucket == scene.rolled):
        assert erasure.advance()
    run = Going(scene, roll_up(scene.hourly, HOURS[0], RUN, lambda: ERASED_AT))
    while not (isinstance(run.pending, Write) and "ghost_survivors" in run.pending.lines[0]):
        assert run.advance()
    assert any("customer" in line and r"\"42\"" in line for line in run.pending.lines)
    with pytest.raises(SourceChanging, match="is writing"):
        erasure.finish()
    run.finish()
    for spec in (scene.hourly, other(scene)):
        scene.roll(spec, HOURS[0])
    scene.erase(require_archive=False)
    assert of_customer(scene) == []
    assert records(scene) == []
