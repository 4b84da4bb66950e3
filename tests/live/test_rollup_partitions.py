"""Any way of cutting a range into runs, in any order and with repeats, leaves the identical target."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.oracle import query, rollup, windows
from tests.scenes.examples import examples
from tests.scenes.rollup_runs import MERGEABLE, TAGS, Place, interval, make_place, make_points, roll
from tests.scenes.strategies import partitions_of

pytestmark = pytest.mark.live

WHOLE = interval("2025-03-08T00:00", "2025-03-08T04:00")
FIELDS = ("temp", "packets", "state")
NUMBERS = itertools.count()

# every way in which values are computed
KINDS: dict[str, tuple[GridSpec, Any, Mapping[str, Any]]] = {
    "in InfluxDB": (
        GridSpec("40m"),
        {"temp": ("count", "sum", "mean", "last"), "packets": ("sum", "max"), "state": ("first",)},
        {},
    ),
    "sliding": (
        GridSpec("40m", period="2h"),
        {"temp": ("mean", "sum", "count"), "packets": ("min", "last"), "state": ("last",)},
        {},
    ),
    "merged series": (GridSpec("40m"), {"temp": MERGEABLE, "packets": MERGEABLE}, {"group_by": ("site",)}),
    "in the worker": (
        GridSpec("40m"),
        {"temp": ("stddev", "p99", "mean"), "packets": ("median", "spread"), "state": ("distinct",)},
        {"max_rows_per_read": 100},
    ),
}


@dataclass(frozen=True)
class Sources:
    """Points in a bucket, and what one run over all of them writes, for each kind."""

    place: Place
    whole: Mapping[str, list[str]]


@pytest.fixture(scope="module")
def sources(influx: InfluxServer, client: InfluxClient) -> Sources:
    place = make_place(influx, client)
    points = make_points("2025-03-07T22:00", "2025-03-08T04:00", 360)
    place.write(points, FIELDS)
    whole = {}
    for kind, (grid, aggregates, more) in KINDS.items():
        spec = place.spec(grid, aggregates, target_measurement=kind, **more)
        roll(client, spec, WHOLE)
        spans = windows("2025-03-08", "2025-03-08T04:00", "40min", grid.period)
        expected = rollup(points, TAGS, spans, aggregates, more.get("group_by"))
        assert place.differences(expected, kind) == []
        whole[kind] = stored_rows(place, kind)
        assert len(whole[kind]) == len(expected)
    return Sources(place, whole)


def stored_rows(place: Place, measurement: str) -> list[str]:
    """Every stored row, floats to the last bit, sorted; two series keys of one tag set give two rows."""
    rows = query(
        place.server.url,
        place.server.org,
        place.server.token,
        f"""from(bucket: "{place.target}") |> range(start: 2025-03-01T00:00:00Z, stop: 2025-03-09T00:00:00Z)
        |> filter(fn: (r) => r._measurement == "{measurement}")
        |> drop(columns: ["_start", "_stop", "_measurement"])""",
    )
    return sorted(
        repr(sorted((name, value) for name, value in row.items() if name not in ("", "result", "table")))
        for row in rows
    )


def count_of_everything(place: Place, measurement: str) -> int:
    """Stored values in one ungrouped table for each field: a doubled series key counts twice."""
    server = place.server
    flux = f"""from(bucket: "{place.target}") |> range(start: 2025-03-01T00:00:00Z, stop: 2025-03-09T00:00:00Z)
        |> filter(fn: (r) => r._measurement == "{measurement}") |> group(columns: ["_field"]) |> count()"""
    return sum(row["_value"] for row in query(server.url, server.org, server.token, flux))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=examples(10), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_target_is_identical_when_the_range_is_cut_in_any_way(
    sources: Sources, kind: str, data: st.DataObject
) -> None:
    grid, aggregates, more = KINDS[kind]
    parts: list[Interval] = data.draw(partitions_of(WHOLE, grid.grid(), most_cuts=3, most_repeats=2))
    target = f"{kind} {next(NUMBERS)}"
    spec = sources.place.spec(grid, aggregates, target_measurement=target, pipeline=target, **more)
    for part in parts:
        roll(sources.place.client, spec, part)
    assert stored_rows(sources.place, target) == sources.whole[kind]
    assert count_of_everything(sources.place, target) == len(sources.whole[kind])
    assert set(sources.place.states(target).values()) == {"COMMITTED"}
