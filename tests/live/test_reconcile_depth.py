"""Every way of computing a rollup is reconciled; aggregates of the raw points as deep as it is asked for."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from tests.conftest import InfluxServer
from tests.scenes.reconcile_runs import reasons_of, sweep, watched
from tests.scenes.reconcile_scene import SPAN, MakeScene, Scene, scene_maker
from tests.scenes.rollup_runs import MERGEABLE, interval, make_place, roll

pytestmark = pytest.mark.live

SIX = MERGEABLE
WAYS: dict[str, tuple[Any, GridSpec | str, dict[str, Any], bool | None]] = {
    "raw points": ({"temp": ("p99", "stddev", "mean"), "state": ("distinct",)}, "1h", {}, None),
    "raw points, six stored": ({"temp": (*SIX, "p99", "mean"), "packets": (*SIX, "median")}, "1h", {}, None),
    "raw points, strict": ({"temp": (*SIX, "integral"), "packets": ("count", "p50")}, "1h", {}, True),
    "raw points, never strict": ({"temp": ("count", "p99"), "packets": ("sum", "spread")}, "1h", {}, False),
    "in the server": (
        {"temp": ("count", "p99"), "packets": ("sum", "max")},
        "1h",
        {"compute": "server"},
        False,
    ),
    "merged series": ({"temp": SIX, "packets": SIX}, "1h", {"group_by": ("site",)}, None),
    "sliding": ({"temp": (*SIX, "mean"), "packets": ("last",)}, GridSpec("1h", period="2h"), {}, None),
    "sliding, merged": ({"temp": SIX}, GridSpec("1h", period="3h"), {"group_by": ("site",)}, None),
    "sliding raw points": ({"temp": (*SIX, "p99")}, GridSpec("1h", period="2h"), {}, None),
    "filtered": ({"temp": ("sum", "last")}, "1h", {"tags": {"site": ("berlin",)}}, None),
}


@pytest.fixture(scope="module")
def make_scene(influx: InfluxServer, client: InfluxClient) -> MakeScene:
    return scene_maker(influx, client)


@pytest.mark.recorded("in the server")
@pytest.mark.parametrize("way", WAYS)
def test_target_is_right_again_when_many_things_happened_at_once(
    make_scene: MakeScene, client: InfluxClient, way: str
) -> None:
    rules, grid, more, strict = WAYS[way]
    scene = make_scene(rules, grid, **more)
    chosen = more.get("tags", {}).get("site")
    scene.points = scene.points[scene.points["site"].isin(chosen)] if chosen else scene.points
    assert sweep(client, scene.spec, SPAN, strict=strict)["dirty"] == []
    scene.add("a-1", "01:30:01", temp=99.5, packets=2**50, state="new")
    scene.drop("Gerät №7", "02:00", "03:00")
    name = rules["temp"][0]
    ghost = "site=ghost" if "group_by" in more else "device=ghost,site=berlin"
    scene.write_target(ghost, f"temp_{name}=1{'i' if name == 'count' else ''}")
    plan = sweep(client, scene.spec, SPAN, mode="plan", strict=strict)
    with watched(client) as requests:
        result = sweep(client, scene.spec, SPAN, strict=strict)
    assert plan["dirty"] == result["dirty"]
    assert result["is_clean"]
    assert 0 < len(result["dirty"]) < 4 or scene.spec.grid.period
    assert 0 < len(requests.of(scene.place.target)) < len(scene.expected()) / len(rules["temp"]) / 2
    assert scene.differences() == []
    assert sweep(client, scene.spec, SPAN, strict=strict)["dirty"] == []


def swap_two_values(scene: Scene) -> None:
    """Two inner values change places: the row keeps count, sum, min, max, first and last, but not its integral."""
    inside = scene.points[(scene.points["device"] == "a-1") & scene.points["packets"].notna()]
    start = pd.Timestamp(SPAN.start)
    inside = inside[(inside["_time"] < start + pd.Timedelta("1h"))].sort_values("_time").iloc[1:-1]
    two = inside.iloc[[1, 4]]
    for row, value in zip((two.iloc[0], two.iloc[1]), two["packets"].tolist()[::-1], strict=True):
        scene.add("a-1", f"{row['_time']:%H:%M:%S.%f}", packets=value)


def test_change_that_keeps_all_six_is_found_when_it_is_asked_for(
    make_scene: MakeScene, client: InfluxClient
) -> None:
    scene = make_scene({"packets": (*SIX, "integral")})
    swap_two_values(scene)
    assert len(scene.differences()) == 1
    assert sweep(client, scene.spec, SPAN, mode="plan")["dirty"] == []
    with watched(client) as requests:
        assert reasons_of(sweep(client, scene.spec, SPAN, strict=True)) == {"00:00": ["overwritten"]}
    assert len(requests.of(scene.place.target)) == 1
    assert scene.differences() == []


def test_value_altered_by_hand_is_found_when_nobody_computes_it_again(
    make_scene: MakeScene, client: InfluxClient
) -> None:
    scene = make_scene({"packets": (*SIX, "p99")})
    scene.write_target("device=a-1,site=berlin", "packets_p99=7")
    assert reasons_of(sweep(client, scene.spec, SPAN)) == {"01:00": ["altered row"]}
    assert scene.differences() == []


def test_three_rows_are_written_when_three_series_of_ten_thousand_were_late(
    influx: InfluxServer, client: InfluxClient
) -> None:
    place = make_place(influx, client)
    span = interval("2025-03-08", "2025-03-08T01:00")
    client.write_lines(
        place.source, (f"readings,device=d{n} temp={n}.5 {span.start_ns + n}" for n in range(10_000))
    )
    spec = place.spec("1h", {"temp": ("count", "max", "p50")})
    roll(client, spec, span)
    late = [f"readings,device=d{n} temp=99999 {span.start_ns + 10**9}" for n in (0, 4711, 9999)]
    client.write_lines(place.source, late)
    with watched(client) as requests:
        result = sweep(client, spec, span, strict=False)
    assert [change["series"] for change in result["dirty"]] == [3]
    assert result["repaired"] == {"windows": 1, "rows": 3, "values": 9, "deleted": 0}
    written = sorted(line.partition(" ")[0] for line in requests.of(place.target))
    assert written == [f"readings,device=d{n}" for n in (0, 4711, 9999)]
    assert sum("temp_max=99999" in line for line in requests.of(place.target)) == 3
    assert sweep(client, spec, span)["dirty"] == []
