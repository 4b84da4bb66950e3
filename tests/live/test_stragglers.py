"""A run that only hangs, longer than others wait for one: the window is purged meanwhile, then it goes on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.rollup_script.rollup_script import ScriptSpec, roll_up_by_script
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.oracle import query
from tests.scenes.purge_scene import (
    ALWAYS,
    ARCHIVED_AT,
    DAY,
    PURGED_AT,
    RUN,
    WINDOW,
    PurgeScene,
    Stepper,
    inside,
    make_purge_scene,
)

pytestmark = pytest.mark.live

# longer than a purge waits for a run of a pipeline that it does not require
HUNG = timedelta(minutes=16)
MAX_CUTS = 60
# the others are tried by `make soak`
CUTS = {"rollup": (4, 6), "reconcile": (8, 10), "script": (9, 10)}


def script_of(scene: PurgeScene) -> ScriptSpec:
    """A script that writes the same rows."""
    parts = "\n".join(
        f"""points |> {name}() |> map(fn: (r) => ({{r with _time: v.timeRangeStart, _measurement: "other", _field: "temp_{name}"}}))
  |> to(bucket: "{scene.rolled}")"""
        for name in ("sum", "count")
    )
    source = f"""points = from(bucket: "{scene.bucket}") |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "{scene.measurement}" and r._field == "temp")"""
    return ScriptSpec(
        script=f"{source}\n{parts}",
        target_bucket=scene.rolled,
        grid=GridSpec("1h"),
        ledger_bucket=scene.ledger,
        pipeline="other",
    )


def rows(scene: PurgeScene) -> dict[tuple[str, str], Any]:
    """What the straggler's pipeline has of the window, by device and field."""
    found = read(scene, scene.rolled, 'r._measurement == "other"')
    return {(row["device"], row["_field"]): row["_value"] for row in found if is_of_window(row)}


def state(scene: PurgeScene) -> str:
    """What its receipt of the window says."""
    where = 'r._measurement == "window_receipt" and r.pipeline == "other" and r._field == "state"'
    (found,) = [row["_value"] for row in read(scene, scene.ledger, where) if is_of_window(row)]
    return str(found)


def is_of_window(row: Any) -> bool:
    """Whether a row stands at the start of the window."""
    return bool(row["_time"] == WINDOW.start_ns)


def read(scene: PurgeScene, bucket: str, where: str) -> list[Any]:
    """Rows of a bucket, read without the product."""
    server = scene.server
    flux = f'from(bucket: "{bucket}") |> {ALWAYS} |> filter(fn: (r) => {where})'
    return query(server.url, server.org, server.token, flux)


def expected() -> dict[tuple[str, str], Any]:
    """What all points of the window give."""
    values: dict[str, list[float]] = {}
    for one in inside():
        if one.field == "temp":
            values.setdefault(dict(one.tags)["device"], []).append(one.value)
    counts = {(device, "temp_count"): len(some) for device, some in values.items()}
    return counts | {(device, "temp_sum"): sum(some) for device, some in values.items()}


def finish(stepper: Stepper) -> str:
    """Act a run out; how it ended."""
    try:
        stepper.finish()
    except InfluxRollupError as error:
        return type(error).__name__
    return "ok"


def run_cut(scene: PurgeScene, verb: str, cut: int) -> bool:
    """A straggler that hangs before a step while the window is purged; whether it has so many steps."""
    other = replace(scene.hourly, pipeline="other", target_measurement="other")
    if verb == "script":
        # of before the straggler: what it had committed when all points were there
        drive(roll_up_by_script(script_of(scene), WINDOW, RUN, lambda: ARCHIVED_AT), scene.client, scene.tell)
    else:
        scene.roll(other, DAY)
    assert rows(scene) == expected()
    if verb == "reconcile":
        # something to repair
        first = Interval(WINDOW.start, WINDOW.start + timedelta(microseconds=1))
        scene.client.delete(scene.rolled, first, '_measurement="other" AND device="a"')
        steps: Any = reconcile(other, WINDOW, RUN, lambda: PURGED_AT)
    elif verb == "script":
        steps = roll_up_by_script(script_of(scene), WINDOW, RUN, lambda: PURGED_AT)
    else:
        steps = roll_up(other, WINDOW, RUN, lambda: PURGED_AT, options=RollupOptions())
    straggler = Stepper(scene, steps)
    if not straggler.advance_to(cut) or straggler.pending is None:
        return False
    purge = finish(Stepper(scene, scene.purge_steps(now=PURGED_AT + HUNG)))
    about = (verb, cut, straggler.seen[-4:], purge, finish(straggler), rows(scene), state(scene))
    assert purge == "ok", about
    assert scene.mark_states() == ["purged"], about
    if verb == "script":
        # it reads and writes at once: what it has written of a part it does not commit
        assert rows(scene) == expected() or state(scene) == "WRITING", about
    elif verb == "rollup":
        # it may be refused, but nothing that was made of all points is replaced or removed
        assert rows(scene) == expected(), about
    elif state(scene) == "COMMITTED":
        # before it came to the repair the rows were lacking already, and nobody can make them any more
        assert rows(scene).items() <= expected().items(), about
        assert {key: one for key, one in expected().items() if key[0] == "b"}.items() <= rows(
            scene
        ).items(), about
    return True


@pytest.mark.parametrize(("verb", "cut"), [(verb, cut) for verb, cuts in CUTS.items() for cut in cuts])
def test_straggler_replaces_nothing_when_its_window_was_purged_meanwhile(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, verb: str, cut: int
) -> None:
    assert run_cut(make_purge_scene(influx, client, tmp_path), verb, cut)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("verb", CUTS)
def test_straggler_replaces_nothing_at_every_cut(
    influx: InfluxServer, client: InfluxClient, tmp_path: Path, verb: str
) -> None:
    for cut in range(MAX_CUTS):
        if not run_cut(make_purge_scene(influx, client, tmp_path / str(cut)), verb, cut):
            assert cut > max(CUTS[verb])
            return
    pytest.fail("there are more steps than cuts")
