"""Series that have stopped, of the fields that a pipeline rolls up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.overview.silent import silent_series
from tests.conftest import InfluxServer
from tests.scenes.rollup_runs import Place, make_place

pytestmark = pytest.mark.live

NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
#: hours since the last point of each field of the source, a raw one and a tier
STOPPED = {"temp": 9, "temp_max": 9, "temp_in": 1, "hum": 1, "temp_in_max": 1, "hum_max": 1, "hum_count": 9}


@pytest.fixture(scope="module")
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    made = make_place(influx, client)
    lines = []
    for field, hours in STOPPED.items():
        at = int((NOW - timedelta(hours=hours)).timestamp()) * 10**9
        lines.append(f"{made.measurement},device=a {field}=1 {at}")
    client.write_lines(made.source, lines)
    return made


@pytest.mark.parametrize(
    ("asked", "hours"),
    [
        ({"aggregates": ("max",)}, None),
        ({"aggregates": {"temp": ("max",)}}, 9),
        ({"aggregates": {"temp": ("max",), "hum": ("max",)}}, None),
        ({"aggregates": {"temp*": ("max",)}}, None),
        ({"aggregates": {"temp": ("max",), "*": ("count",)}}, None),
        ({"aggregates": {"temp*": ("max",)}, "fields": ("!temp_in*",)}, 9),
        ({"aggregates": {"temp": ("max",)}, "fields": ("!h*",)}, 9),
        ({"aggregates": ("max",), "fields": ("temp",)}, 9),
        ({"aggregates": ("max",), "fields": ("!hum*", "!temp_in*")}, 9),
        ({"aggregates": {"temp": ("max",)}, "source_tier": "below"}, 9),
        ({"aggregates": {"hum": ("max",)}, "source_tier": "below"}, None),
        ({"aggregates": {"hum": ("count",)}, "source_tier": "below"}, 9),
        ({"aggregates": ("max",), "fields": ("temp",), "source_tier": "below"}, 9),
        ({"aggregates": ("max",), "source_tier": "below"}, None),
    ],
)
def test_a_series_has_stopped_when_the_fields_that_are_rolled_up_have(
    place: Place, asked: Mapping[str, Any], hours: int | None
) -> None:
    spec = place.spec(grid="1h", **asked)
    told = drive(silent_series(spec, NOW), place.client, lambda _report: None)
    last = None if hours is None else f"{NOW - timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"
    stopped = [] if last is None else [{"tags": {"device": "a"}, "last_seen": last}]
    assert (told["series_total"], told["series"]) == (1, stopped)
