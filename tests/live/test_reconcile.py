"""Whatever is changed in the source or in the target, a reconcile finds it, repairs it, and touches nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.lifecycle.reconcile import block_size as reconcile_blocks
from tests.conftest import InfluxServer
from tests.oracle import local_days, rollup
from tests.scenes.reconcile_runs import reasons_of, sweep, watched
from tests.scenes.reconcile_scene import FIELDS, SPAN, MakeScene, Scene, scene_maker
from tests.scenes.rollup_runs import TAGS, interval, make_place, make_points, roll

pytestmark = pytest.mark.live

RULES = {"temp": ("count", "sum", "min", "max", "first", "last"), "packets": ("count", "sum", "mean")}


@pytest.fixture(scope="module")
def make_scene(influx: InfluxServer, client: InfluxClient) -> MakeScene:
    return scene_maker(influx, client)


def overwrite(scene: Scene) -> None:
    """The same count; another value between the smallest and the largest."""
    row = scene.one_point("a-1", 1)
    scene.add("a-1", f"{row['_time']:%H:%M:%S.%f}", temp=row["temp"] + 1e-9)


def one_more_and_one_less(scene: Scene) -> None:
    scene.drop_point(scene.one_point("b 2", 1))
    scene.add("a-1", "01:30:01", temp=20.5, packets=1)


def move_in_time(scene: Scene) -> None:
    """A point leaves one window for another one: all sums over both windows stay the same."""
    row = scene.one_point("a-1", 1)
    scene.drop_point(row)
    scene.add("a-1", "02:30:01", **{name: row[name] for name in FIELDS if not pd.isna(row[name])})


def late_window(scene: Scene) -> None:
    for minute in (5, 10, 15):
        scene.add("a-2", f"02:{minute:02}", temp=1.5 * minute, packets=minute)


@dataclass(frozen=True)
class Planted:
    """A change, and what a reconcile has to say and to do.

    :param rows: rows that are written
    :param deletes: requests to delete
    """

    change: Callable[[Scene], object]
    reasons: dict[str, list[str]]
    rows: int
    deletes: int = 0


PLANTED = {
    "new point": Planted(lambda s: s.add("a-1", "01:30:01", temp=99.5), {"01:00": ["new points"]}, 1),
    "overwrite, same count": Planted(overwrite, {"01:00": ["overwritten"]}, 1),
    "+1 and -1 in two series": Planted(one_more_and_one_less, {"01:00": ["fewer points", "new points"]}, 2),
    "+1 and -1 in two windows": Planted(
        move_in_time, {"01:00": ["fewer points"], "02:00": ["new points"]}, 2
    ),
    "wholly late window": Planted(late_window, {"02:00": ["new points"]}, 1),
    "new series": Planted(lambda s: s.add("c-9", "03:59:59", temp=-1.0), {"03:00": ["new series"]}, 1),
    "deleted series": Planted(
        lambda s: s.drop("b 1"), {f"0{hour}:00": ["vanished series"] for hour in range(4)}, 0, 4
    ),
    "deleted window": Planted(lambda s: s.drop("", "01:00", "02:00"), {"01:00": ["fewer points"]}, 0, 5),
    "ghost row": Planted(
        lambda s: s.write_target("device=ghost", "temp_max=9.5"), {"01:00": ["ghost row"]}, 0, 1
    ),
    "deleted row": Planted(lambda s: s.delete_target(' AND "device"="a-1"'), {"01:00": ["missing row"]}, 1),
    "deleted rows of a window": Planted(lambda s: s.delete_target(), {"01:00": ["missing row"]}, 5),
    "altered row": Planted(
        lambda s: s.write_target("device=a-1,site=berlin", "temp_max=99.5"), {"01:00": ["altered row"]}, 1
    ),
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_change_is_found_and_only_its_rows_are_written_when_a_pipeline_is_reconciled(
    make_scene: MakeScene, client: InfluxClient, planted: Planted
) -> None:
    scene = make_scene(RULES)
    before = scene.stored()
    planted.change(scene)
    with watched(client) as plan_requests:
        plan = sweep(client, scene.spec, SPAN, mode="plan")
    with watched(client) as requests:
        result = sweep(client, scene.spec, SPAN)
    assert plan_requests.lines == {}
    assert plan_requests.deletes == 0
    assert reasons_of(plan) == reasons_of(result) == planted.reasons
    assert plan["dirty"] == result["dirty"]
    assert result["is_clean"]
    assert len(requests.of(scene.place.target)) == planted.rows
    assert requests.deletes == planted.deletes
    # WRITING and COMMITTED of each dirty window, nothing of the others
    assert len(requests.receipts(scene.place.ledger)) == 2 * len(planted.reasons)
    assert scene.differences() == []
    assert scene.changed_outside(before, list(planted.reasons)) == []
    with watched(client) as more_requests:
        again = sweep(client, scene.spec, SPAN)
    assert again["dirty"] == []
    assert list(more_requests.lines) == [scene.place.ledger]
    assert [line.partition(",")[0] for line in more_requests.of(scene.place.ledger)] == ["lateness_check"]


@pytest.mark.parametrize(
    "name", ["overwrite, same count", "+1 and -1 in two windows", "deleted row", "ghost row"]
)
def test_same_windows_are_found_when_digests_of_columns_tell_where_to_look(
    make_scene: MakeScene, client: InfluxClient, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Blocks of one window, so that four windows are already many."""
    planted = PLANTED[name]
    monkeypatch.setattr(reconcile_blocks, "MAX_VALUES_PER_BLOCK", 1)
    scene = make_scene(RULES)
    with watched(client) as requests:
        assert sweep(client, scene.spec, SPAN, mode="plan")["dirty"] == []
    assert requests.rows_read_from(scene.place.target) == 0
    planted.change(scene)
    found = sweep(client, scene.spec, SPAN)
    assert list(reasons_of(found)) == list(planted.reasons)
    assert found["repaired"]["rows"] == planted.rows
    assert scene.differences() == []


@pytest.mark.recorded
def test_local_days_are_digested_too_when_the_clocks_change(
    influx: InfluxServer, client: InfluxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile_blocks, "MAX_VALUES_PER_BLOCK", 1)
    place = make_place(influx, client)
    points = make_points("2025-03-28T23:00", "2025-04-01T22:00", 3600)
    place.write(points, ("temp", "state"))
    rules = {"temp": ("count", "sum"), "state": ("last",)}
    spec = place.spec(GridSpec("1d", timezone="Europe/Berlin"), rules, target_measurement="days")
    span = interval("2025-03-28T23:00", "2025-04-01T22:00")
    roll(client, spec, span)
    with watched(client) as requests:
        assert sweep(client, spec, span)["dirty"] == []
    assert requests.rows_read_from(place.target) == 0
    late = points.iloc[[0]].assign(_time=pd.Timestamp("2025-03-30T21:59:59", tz="UTC"))
    place.write(late, ("temp", "state"))
    assert [change["window"]["start"] for change in sweep(client, spec, span)["dirty"]] == [
        "2025-03-29T23:00:00Z"
    ]
    days = local_days("2025-03-29", "2025-04-01", "Europe/Berlin")
    expected = rollup(pd.concat([points, late], ignore_index=True), TAGS, days, rules)
    assert place.differences(expected, "days") == []


def test_receipts_say_why_and_how_late_when_a_window_was_repaired(
    make_scene: MakeScene, client: InfluxClient
) -> None:
    scene = make_scene(RULES)
    scene.add("a-1", "01:30:01", temp=99.5)
    scene.add("b 1", "01:30:02", temp=99.5, packets=1)
    with watched(client) as requests:
        sweep(client, scene.spec, SPAN)
    receipts = requests.receipts(scene.place.ledger)
    assert ['state="WRITING"' in line for line in receipts] == [True, False]
    assert all('reason="reconcile: new points"' in line for line in receipts)
    assert "generation=2i" in receipts[1]
    stored = scene.stored()
    hour = stored[stored["_time"] == SPAN.start_ns + 3_600_000_000_000]
    assert f"rows_out={len(hour)}i" in receipts[1]
    counted = hour[hour["_field"].str.endswith("_count")]["_value"].sum()
    assert f"rows_in={counted}i" in receipts[1]
    (late,) = (line for line in requests.of(scene.place.ledger) if line.startswith("lateness,"))
    assert "points=3i" in late
    assert '\\"device\\": \\"b 1\\", \\"site\\": \\"\\"' not in late
    assert "b 1" in late
