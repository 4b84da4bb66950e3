"""Rows that are right beside a receipt with other numbers: the window is committed again, and no row of it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.lifecycle.reconcile import block_size
from tests.conftest import InfluxServer
from tests.scenes.reconcile_runs import reasons_of, sweep, watched
from tests.scenes.reconcile_scene import SPAN, MakeScene, Scene, scene_maker
from tests.scenes.rollup_runs import roll

pytestmark = pytest.mark.live

OLD = {"01:00": ["old receipt"]}
COUNTS = {"temp": ("count", "sum", "min", "max", "first", "last")}
WITH_RAW = {"temp": (*COUNTS["temp"], "median")}


@pytest.fixture(scope="module")
def make_scene(influx: InfluxServer, client: InfluxClient) -> MakeScene:
    return scene_maker(influx, client)


def numbers(scene: Scene) -> dict[str, Any]:
    """What the ledger says of the second hour, read without the product's queries."""
    rows = scene.place.client.query(
        f"""from(bucket: "{scene.place.ledger}") |> range(start: 0)
        |> filter(fn: (r) => r._measurement == "window_receipt" and r.pipeline == "{scene.spec.pipeline_name}")
        |> filter(fn: (r) => contains(value: r._field, set: ["rows_in", "rows_out", "series", "checksum", "generation", "state"]))"""
    )
    hour = SPAN.start_ns // 10**9 + 3600
    return {row["_field"]: row["_value"] for row in rows if row["_time"].timestamp() == hour}


def points_of(scene: Scene) -> int:
    """Points of the second hour, counted by pandas."""
    inside = scene.points["_time"].dt.strftime("%H") == "01"
    return int(scene.points[inside]["temp"].notna().sum())


def test_receipt_counts_the_points_again_when_late_ones_change_no_row(
    make_scene: MakeScene, client: InfluxClient
) -> None:
    scene = make_scene({"temp": ("max",)})
    before = numbers(scene)
    scene.add("a-1", "01:30:01", temp=-99.5)
    plan = sweep(client, scene.spec, SPAN, mode="plan")
    with watched(client) as requests:
        result = sweep(client, scene.spec, SPAN)
    assert reasons_of(plan) == reasons_of(result) == OLD
    assert requests.of(scene.place.target) == []
    assert (result["repaired"]["windows"], result["repaired"]["rows"]) == (1, 0)
    assert numbers(scene) == {**before, "rows_in": points_of(scene), "generation": 2}
    assert before["rows_in"] == points_of(scene) - 1
    assert scene.differences() == []
    assert sweep(client, scene.spec, SPAN)["dirty"] == []


@pytest.mark.parametrize("strict", [None, True, False])
@pytest.mark.parametrize("rules", [COUNTS, WITH_RAW], ids=["pushed down", "with raw points"])
def test_receipt_has_the_numbers_of_a_rollup_when_another_wrote_the_same_rows(
    make_scene: MakeScene,
    client: InfluxClient,
    bucket_factory: Callable[[], str],
    rules: Any,
    strict: bool | None,
) -> None:
    scene = make_scene(rules)
    before = numbers(scene)
    scene.add("a-1", "01:30:01", temp=99.5)
    scene.add("new", "01:30:01", temp=1.5)
    # as InfluxDB's own task does, which writes the same rows and no receipt
    roll(client, replace(scene.spec, ledger_bucket=bucket_factory()), SPAN)
    assert scene.differences() == []
    with watched(client) as requests:
        result = sweep(client, scene.spec, SPAN, strict=strict)
    assert reasons_of(result) == OLD
    assert requests.of(scene.place.target) == []
    after = numbers(scene)
    assert after["generation"] == before["generation"] + 1
    assert (after["rows_in"], after["state"]) == (points_of(scene), "COMMITTED")
    assert sweep(client, scene.spec, SPAN, strict=strict)["dirty"] == []
    # who rolls it up again reads back the very same numbers
    roll(client, scene.spec, SPAN)
    assert numbers(scene) == {**after, "generation": after["generation"] + 1}


def test_rows_are_made_right_first_when_few_windows_may_be_repaired(
    make_scene: MakeScene, client: InfluxClient, bucket_factory: Callable[[], str]
) -> None:
    scene = make_scene(COUNTS)
    scene.add("a-1", "01:30:01", temp=99.5)
    roll(client, replace(scene.spec, ledger_bucket=bucket_factory()), SPAN)
    scene.add("a-1", "03:30:01", temp=99.5)
    result = sweep(client, scene.spec, SPAN, max_windows=1)
    assert result["repaired"]["windows"] == 2
    assert scene.differences() == []
    assert sweep(client, scene.spec, SPAN)["dirty"] == []


@pytest.mark.parametrize(
    ("rules", "grid", "more"),
    [
        (COUNTS, GridSpec("1h"), {"group_by": ("site",)}),
        (WITH_RAW, GridSpec("1h", period="2h"), {}),
        (WITH_RAW, GridSpec("1h"), {"compute": "server"}),
    ],
    ids=["grouped", "sliding", "in the server"],
)
def test_nothing_is_committed_again_when_receipts_are_those_of_the_rows(
    make_scene: MakeScene, client: InfluxClient, rules: Any, grid: GridSpec, more: Any
) -> None:
    scene = make_scene(rules, grid, **more)
    for strict in (None, True, False):
        assert sweep(client, scene.spec, SPAN, strict=strict)["dirty"] == []


def test_next_sweep_is_by_digests_again_when_rows_of_another_were_counted(
    make_scene: MakeScene,
    client: InfluxClient,
    bucket_factory: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Blocks of one window, so that four windows are already many."""
    monkeypatch.setattr(block_size, "MAX_VALUES_PER_BLOCK", 1)
    scene = make_scene(COUNTS)
    scene.add("new", "01:30:01", temp=1.5)
    roll(client, replace(scene.spec, ledger_bucket=bucket_factory()), SPAN)
    assert reasons_of(sweep(client, scene.spec, SPAN)) == OLD
    with watched(client) as requests:
        assert sweep(client, scene.spec, SPAN)["dirty"] == []
    assert requests.rows_read_from(scene.place.target) == 0


MANY: dict[str, tuple[Any, GridSpec, dict[str, Any]]] = {
    "raw points alone": ({"temp": ("median",)}, GridSpec("1h"), {}),
    "several fields": (
        {"temp": ("median", "max"), "packets": ("sum", "mean"), "state": ("last", "distinct")},
        GridSpec("1h"),
        {},
    ),
    "sketches": ({"temp": ("p99_approx", "count")}, GridSpec("1h"), {"group_by": ("site",)}),
    "sliding": ({"temp": ("max", "integral"), "state": ("first",)}, GridSpec("1h", period="2h"), {}),
    "some series": ({"temp": ("max",)}, GridSpec("1h"), {"tags": {"site": ("berlin",)}}),
    "all fields": ({"*": ("last",)}, GridSpec("1h"), {}),
}


@pytest.mark.parametrize("strict", [None, True, False])
@pytest.mark.parametrize(("rules", "grid", "more"), MANY.values(), ids=MANY)
def test_nothing_is_left_for_the_next_sweep_whatever_is_stored(
    make_scene: MakeScene, client: InfluxClient, rules: Any, grid: GridSpec, more: Any, strict: bool | None
) -> None:
    scene = make_scene(rules, grid, **more)
    assert sweep(client, scene.spec, SPAN, strict=strict)["dirty"] == []
    scene.add("a-1", "01:30:01", temp=-99.5)
    scene.add("a-2", "02:30:01", temp=20.0, packets=3)
    assert "01:00" in reasons_of(sweep(client, scene.spec, SPAN, strict=strict))
    assert sweep(client, scene.spec, SPAN, strict=strict)["dirty"] == []
