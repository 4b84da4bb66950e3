"""Archives, purges and restores on a server that has little memory for a query: read in pieces, point for point the same."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import QueryTooLarge
from airflow_provider_influx_rollup.lifecycle.restore.restore import restore
from airflow_provider_influx_rollup.lifecycle.source import pieces
from airflow_provider_influx_rollup.stores.actions import actions_with
from tests.conftest import InfluxServer
from tests.oracle import query
from tests.scenes.archive_scene import (
    RUN,
    WINDOW,
    Point,
    client_of,
    facts_of,
    nothing_published,
    point,
    sorted_facts,
)
from tests.scenes.purge_scene import PurgeScene
from tests.servers.own_server import own_server

pytestmark = pytest.mark.live

MEMORY = 500_000
SECOND = 10**9
KINDS = {float: "float", int: "integer", str: "string", bool: "boolean"}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """A server that gives each query half a megabyte."""
    with own_server(tmp_path_factory.mktemp("small"), f"query-memory-bytes: {MEMORY}\n") as server:
        yield server


@pytest.fixture(scope="module")
def client(small: InfluxServer) -> Iterator[InfluxClient]:
    with client_of(small, deadline_seconds=20) as made:
        yield made


def scene_of(small: InfluxServer, client: InfluxClient, base: Path, points: list[Point]) -> PurgeScene:
    name = uuid.uuid4().hex[:8]
    scene = PurgeScene(small, client, base, f"raw_{name}", f"ledger_{name}")
    client.ensure_bucket(scene.bucket)
    scene.add(*points)
    return scene


def spread_points() -> list[Point]:
    """An hour of four types, most of it in ten minutes: some 30,000 points."""
    minutes = {number * SECOND for number in range(0, 3600, 60)}
    times = sorted(minutes | {number * SECOND // 2 for number in range(1200)})
    return [
        made
        for time in times
        for device in range(6)
        for made in (
            point(time + device, {"device": f"d{device}"}, "temp", device + time / 7e9),
            point(
                time, {"device": f"d{device}", "site": "é"} if device % 2 else {}, f"n{device}", time % 977
            ),
            point(time, {"device": f"d{device}"}, "state", f"ok {time}"),
            point(time, {"device": f"d{device}"}, "on", device % 3 == 0),
        )
    ]


def burst_points() -> list[Point]:
    """Many series at one time, some of them without a tag that the others have; a few points besides."""
    here = 1234 * SECOND
    points = [
        point(
            here,
            {"device": f"d{number}", "site": f"s{number % 3}"} if number % 10 else {"device": f"d{number}"},
            name,
            value,
        )
        for number in range(3_000)
        for name, value in (
            ("temp", number / 3),
            ("count", number),
            ("on", number % 2 == 0),
            ("state", f"s{number}"),
        )
    ]
    return [*points, point(here, {}, "temp", -1.0), point(7, {"device": "d0"}, "temp", 1.0)]


def in_bucket(server: InfluxServer, bucket: str) -> list[tuple[Any, ...]]:
    """All points of the window by plain HTTP, in reads that are small enough."""
    found = []
    seconds = [0, 300, 600, 1234, 1235, 3600]
    edges = [f"{WINDOW.start + timedelta(seconds=one):%Y-%m-%dT%H:%M:%SZ}" for one in seconds]
    for start, stop in pairwise(edges):
        for devices in ("^$", *(f"{digit}$" for digit in range(10))):
            flux = f"""from(bucket: "{bucket}") |> range(start: {start}, stop: {stop})
                |> filter(fn: (r) => r.device =~ /{devices}/) |> drop(columns: ["_start", "_stop"])"""
            found += query(server.url, server.org, server.token, flux)
    return sorted_facts(facts_of_row(row) for row in found)


def facts_of_row(row: dict[str, Any]) -> tuple[Any, ...]:
    value, kind = row["_value"], KINDS[type(row["_value"])]
    tags = tuple((key, row[key]) for key in ("device", "site") if row.get(key))
    return (
        row["_time"],
        tags,
        row["_field"],
        kind,
        struct.pack("<d", value) if kind == "float" else value,
    )


IN_PIECES = "is read in pieces of up to"


def test_points_are_archived_purged_and_restored_when_one_read_has_no_memory_for_them(
    small: InfluxServer, client: InfluxClient, tmp_path: Path
) -> None:
    points = spread_points()
    scene = scene_of(small, client, tmp_path, points)
    expected = facts_of(points)
    assert in_bucket(small, scene.bucket) == expected
    scene.clock = datetime(2026, 1, 1, tzinfo=UTC)
    scene.archive()
    assert any(IN_PIECES in text for text in scene.told)
    assert scene.stored() == expected
    scene.told.clear()
    scene.purge(require_pipelines=())
    assert any(IN_PIECES in text for text in scene.told)
    assert scene.rows_in_bucket() == 0
    scene.told.clear()
    steps = restore(scene.restore_spec(), WINDOW, RUN, scene.now)
    drive(steps, client, scene.tell, actions_with(scene.store))
    assert any(IN_PIECES in text for text in scene.told)
    assert in_bucket(small, scene.bucket) == expected


@pytest.mark.slow
def test_series_are_archived_in_groups_when_one_time_has_too_many_of_them(
    small: InfluxServer, client: InfluxClient, tmp_path: Path
) -> None:
    points = burst_points()
    scene = scene_of(small, client, tmp_path, points)
    scene.archive()
    assert any(IN_PIECES in text for text in scene.told)
    assert scene.stored() == facts_of(points)


def test_an_archive_ends_with_the_error_when_no_smaller_read_helps(
    small: InfluxServer, client: InfluxClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "LEAST_ROWS", 10**6)
    scene = scene_of(small, client, tmp_path, spread_points())
    with nothing_published(scene), pytest.raises(QueryTooLarge, match="raise query-memory-bytes"):
        scene.archive()
