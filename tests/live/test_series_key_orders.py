"""Whatever series keys the server holds a tag set under, in whatever order the tags are: the rollup is that of all points."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from tests.conftest import InfluxServer
from tests.oracle import Window, compare, local_days, rollup, windows
from tests.scenes.reconcile_runs import sweep
from tests.scenes.rollup_runs import MERGEABLE, PUSHED, RAW, WORKER_ONLY, Place, interval, make_place, roll
from tests.scenes.series_keys import frame_of, write_in_order

pytestmark = pytest.mark.live

START, STOP = "2025-03-29T23:00", "2025-03-30T22:00"
SPAN = interval(START, STOP)
GRIDS: dict[str, tuple[GridSpec, list[Window]]] = {
    "hours": (GridSpec("1h"), windows(START, STOP, "1h")),
    "a day of 23 hours": (GridSpec("1d", timezone="Europe/Berlin"), local_days("2025-03-30", "2025-03-30", "Europe/Berlin")),
    "sliding": (GridSpec("1h", period="3h"), windows(START, STOP, "1h", "3h")),
}  # fmt: skip
# what can be computed, and how
WAYS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "auto": ((*PUSHED, *RAW, *WORKER_ONLY), {}),
    "pushed": (PUSHED, {}),
    "server": ((*PUSHED, *RAW), {"compute": "server"}),
    "group_by": (MERGEABLE, {"group_by": ("a",)}),
}
TAG_SETS = ({"a": "1", "b": "x"}, {"a": "1", "b": "x", "c": "é 2"}, {"a": "2", "b": "x", "c": "y"})
NUMBERS = itertools.count()
CASES_PER_WAY = 120 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else 6


@dataclass(frozen=True)
class Keyed:
    """Points of one tag set, under one order of its tags."""

    tags: dict[str, str]
    order: tuple[str, ...]
    points: list[tuple[pd.Timestamp, float]] = field(repr=False)


@st.composite
def keyed_series(draw: st.DrawFn) -> list[Keyed]:
    """Some tag sets, each under several of the orders of its tags; times meet often."""
    found = []
    for tags in TAG_SETS:
        orders = st.sampled_from(list(itertools.permutations(tags)))
        for order in draw(st.lists(orders, min_size=1, max_size=4, unique=True)):
            minutes = draw(
                st.lists(st.integers(0, 23 * 60 - 1) | st.integers(0, 5), max_size=12, unique=True)
            )
            values = draw(st.lists(st.integers(-40, 40), min_size=len(minutes), max_size=len(minutes)))
            times = [pd.Timestamp(START, tz="UTC") + pd.Timedelta(minutes=minute) for minute in minutes]
            found.append(Keyed(tags, order, [(t, v / 8) for t, v in zip(times, values, strict=True)]))
    return found


@pytest.fixture(scope="module")
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    return make_place(influx, client)


@settings(
    max_examples=CASES_PER_WAY,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(series=keyed_series(), grid=st.sampled_from(list(GRIDS)), data=st.data())
@pytest.mark.parametrize("way", WAYS)
def test_the_rollup_is_that_of_all_points_when_tag_sets_have_many_keys(
    place: Place, way: str, series: list[Keyed], grid: str, data: st.DataObject
) -> None:
    names, options = WAYS[way]
    chosen = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True), label="aggregates")
    measurement = f"m{next(NUMBERS)}"
    frames = []
    for one in series:
        write_in_order(place, place.source, one.order, one.tags, "v", one.points, measurement)
        frames.append(frame_of(one.points, one.tags, "v"))
    points = pd.concat(frames, ignore_index=True)
    points["v"] = points["v"].astype(float)
    if points.empty:
        return
    spec_grid, spans = GRIDS[grid]
    spec = replace(place.spec(spec_grid, chosen, **options), measurement=measurement)
    stale = data.draw(st.sampled_from([None, *series]), label="stale")
    if stale is not None and stale.points and "count" in chosen and way != "group_by":
        moment = max(start for start, stop in spans if start <= stale.points[0][0] < stop)
        write_in_order(
            place, place.target, stale.order[::-1], stale.tags, "v_count", [(moment, 999)], measurement
        )
    roll(place.client, spec, SPAN)
    for key in ("a", "b", "c"):
        points[key] = points[key].fillna("") if key in points else ""
    group_by = list(options["group_by"]) if "group_by" in options else None
    wanted = rollup(points, ["a", "b", "c"], spans, {"v": chosen}, group_by)
    stored = place.stored(measurement)
    assert compare(stored, wanted) == []
    assert len(stored) == len(wanted)
    assert sweep(place.client, spec, SPAN, strict=True, mode="plan")["dirty"] == []
