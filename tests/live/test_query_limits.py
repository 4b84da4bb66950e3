"""Limits of memory, time and rows: queries that reach one are asked in parts, or end with an error that says what helps."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import urllib3

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.client.settings import ClientSettings
from airflow_provider_influx_rollup.exceptions import QueryTooLarge, QueryTooSlow, TooManyRows
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.query.query import QuerySpec, run_query
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.lifecycle.validate.validate import validate
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.servers.own_server import own_server

pytestmark = pytest.mark.live

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = Interval(START, START + timedelta(days=1))
SERIES = 20
STEP = timedelta(seconds=20)
MEMORY = 1_000_000
RUN = RunInfo()


def now() -> datetime:
    return datetime.now(UTC)


def raw_points() -> pd.DataFrame:
    """Points of all series: a window of one hour has 3,600 of them, a day needs more than the memory."""
    count = DAY.duration // STEP
    times = pd.date_range(START, periods=count, freq=STEP)
    random = np.random.default_rng(7)
    parts = [
        pd.DataFrame({"time": times, "device": f"d{k}", "value": random.normal(20, 5, count).round(3)})
        for k in range(SERIES)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """A server that gives each query one megabyte."""
    base = tmp_path_factory.mktemp("small")
    with own_server(base, f"query-memory-bytes: {MEMORY}\n") as server:
        points = raw_points()
        with InfluxClient(settings_of(server)) as client:
            client.ensure_bucket("raw")
            client.write_lines(
                "raw",
                (
                    f"m,device={row.device} v={row.value} {row.time.value}"
                    for row in points.itertuples(index=False)
                ),
            )
        yield server


def settings_of(server: InfluxServer) -> ClientSettings:
    return ClientSettings(
        url=server.url, org=server.org, token=lambda _refused: server.token, deadline_seconds=60
    )


def spec_of(target: str, every: str, *aggregates: str) -> RollupSpec:
    return RollupSpec(
        source_bucket="raw",
        target_bucket=target,
        measurement="m",
        grid=GridSpec(every),
        aggregates=aggregates,
        ledger_bucket=f"{target}_ledger",
    )


def rolled_up(
    client: InfluxClient, spec: RollupSpec, fail_fast: bool = False
) -> tuple[pd.DataFrame, list[str]]:
    """The rows of a rollup, and what it said."""
    client.ensure_bucket(spec.target_bucket)
    said: list[str] = []
    options = RollupOptions(on_window_error="fail_fast" if fail_fast else "fail_at_end")
    drive(roll_up(spec, DAY, RUN, now, options=options), client, lambda report: said.append(report.message))
    flux = (
        f'from(bucket: "{spec.target_bucket}") |> range(start: 2025-12-31T00:00:00Z, stop: 2026-01-03T00:00:00Z)'
        ' |> keep(columns: ["_time", "device", "_field", "_value"])'
    )
    return pd.DataFrame(client.query(flux)), said


@pytest.mark.parametrize("fail_fast", [False, True])
@pytest.mark.parametrize("every", ["1h", "1d"])
def test_rows_are_those_of_all_points_when_one_read_has_no_memory_for_them(
    small: InfluxServer, every: str, fail_fast: bool
) -> None:
    """Hours can be read apart from each other; a day is read in parts of itself."""
    with InfluxClient(settings_of(small)) as client:
        spec = spec_of(f"out_{every}_{fail_fast}", every, "p90", "count", "first", "mean")
        rows, said = rolled_up(client, spec, fail_fast)
    assert any("is read in two halves" in line for line in said)
    points = raw_points()
    points["window"] = points["time"].dt.floor("1h" if every == "1h" else "1D")
    grouped = points.groupby(["device", "window"])["value"]
    expected = {
        "v_p90": grouped.quantile(0.9, interpolation="linear"),
        "v_count": grouped.count(),
        "v_first": grouped.first(),
        "v_mean": grouped.mean(),
    }
    for name, right in expected.items():
        found = rows[rows["_field"] == name].set_index(["device", "_time"])["_value"].sort_index()
        assert len(found) == len(right) == SERIES * (24 if every == "1h" else 1)
        tolerance = 0.02 if name == "v_p90" else 1e-12
        assert np.allclose(found.astype(float).to_numpy(), right.sort_index().to_numpy(), rtol=tolerance)


def validated(
    client: InfluxClient, bucket: str, rules: list[dict[str, Any]]
) -> tuple[dict[str, Any], list[str]]:
    """The result of a validation, and what it said."""
    spec = ValidateSpec(bucket=bucket, measurement="m", rules=rules_of(rules), ledger_bucket="checked")
    said: list[str] = []
    steps = validate(spec, DAY, RUN, now)
    return drive(steps, client, lambda report: said.append(report.message)).as_json(), said


def test_all_points_are_judged_when_one_read_has_no_memory_for_them(small: InfluxServer) -> None:
    with InfluxClient(settings_of(small)) as client:
        result, said = validated(
            client,
            "raw",
            [
                {"rule": "range", "field": "v", "low": 10, "high": 30},
                {"rule": "stuck", "field": "v", "points": 2},
            ],
        )
    assert any("is read in two halves" in line for line in said)
    points = raw_points().sort_values(["device", "time"])
    outside = int(((points["value"] < 10) | (points["value"] > 30)).sum())
    stuck = int((points.groupby("device")["value"].diff() == 0).sum())
    assert result["points"] == len(points)
    assert {one["kind"]: one["violations"] for one in result["rules"]} == {"range": outside, "stuck": stuck}


@pytest.mark.slow
def test_series_are_judged_in_groups_when_one_time_has_too_many_of_them(small: InfluxServer) -> None:
    count = 6_000
    at = DAY.start_ns + 10**9
    with InfluxClient(settings_of(small)) as client:
        client.ensure_bucket("judged")
        client.write_lines(
            "judged", [f"m,device=d{k},site=s{k % 7} v={k}.5,w={k}i {at}" for k in range(count)]
        )
        result, said = validated(client, "judged", [{"rule": "range", "field": "v", "low": 10, "high": 30}])
    assert any("series are counted in groups" in line for line in said)
    assert any("groups of series" in line for line in said)
    assert (result["points"], [one["violations"] for one in result["rules"]]) == (2 * count, [count - 20])


CROWD = 2_000


@pytest.fixture(scope="module")
def crowd(small: InfluxServer) -> pd.DataFrame:
    """Two points of each of so many series that one query of a window has no memory for them."""
    points = pd.DataFrame(
        {
            "device": [f"d{k}" for k in range(CROWD)] * 2,
            "site": [f"s{k % 8}" for k in range(CROWD)] * 2,
            "value": [float(k % 97) + at for at in range(2) for k in range(CROWD)],
            "time": [DAY.start_ns + (1 + at) * 10**9 for at in range(2) for _ in range(CROWD)],
        }
    )
    with InfluxClient(settings_of(small)) as client:
        client.ensure_bucket("crowd")
        rows = points.itertuples(index=False)
        client.write_lines(
            "crowd", [f"m,device={row.device},site={row.site} v={row.value} {row.time}" for row in rows]
        )
    return points


@pytest.mark.slow
@pytest.mark.parametrize(
    ("compute", "period", "more"),
    [("auto", None, "min"), ("server", None, "stddev"), ("auto", "2d", "last")],
)
def test_a_window_is_computed_in_groups_of_series_when_one_query_has_no_memory_for_all(
    small: InfluxServer, crowd: pd.DataFrame, compute: Any, period: str | None, more: str
) -> None:
    target = f"crowd_{compute}_{period}"
    spec = replace(
        spec_of(target, "1d", "count", "sum", "max", more),
        source_bucket="crowd",
        compute=compute,
        grid=GridSpec("1d", period=period),
    )
    said: list[str] = []
    with InfluxClient(settings_of(small)) as client:
        client.ensure_bucket(target)
        drive(roll_up(spec, DAY, RUN, now), client, lambda report: said.append(report.message))
        found = crowd_rows(client, target)
    require_groups(said, "crowd/m")
    require_rows(found, expected_of(crowd, "count", "sum", "max", more))


def crowd_rows(client: InfluxClient, target: str) -> dict[tuple[str, str], float]:
    """All values of a target, by column and device, in reads that are small enough; each is there once."""
    found: dict[tuple[str, str], float] = {}
    for digit in range(10):
        for name in ("count", "sum", "max", "min", "stddev", "last", "mean", "p50"):
            flux = (
                f'from(bucket: "{target}") |> range(start: 2025-12-31T00:00:00Z, stop: 2026-01-03T00:00:00Z)'
                f' |> filter(fn: (r) => r._measurement == "m" and r._field == "v_{name}" and r.device =~ /{digit}$/)'
                ' |> group() |> keep(columns: ["device", "_value"])'
            )
            for row in client.query(flux):
                assert (name, row["device"]) not in found
                found[name, row["device"]] = float(row["_value"])
    return found


def expected_of(crowd: pd.DataFrame, *names: str) -> dict[tuple[str, str], float]:
    """What plain pandas makes of the crowd's points, by column and device."""
    grouped = crowd.sort_values("time").groupby("device")["value"]
    make = {"stddev": "std", "p50": "median"}
    return {
        (name, str(device)): float(value)
        for name in names
        for device, value in grouped.agg(make.get(name, name)).items()
    }


def require_groups(said: list[str], place: str) -> None:
    """The log says that the series of a measurement were asked for in groups."""
    assert any(line.startswith(f"{place}: ") and "groups of series are asked for" in line for line in said)


def require_rows(found: dict[tuple[str, str], float], expected: dict[tuple[str, str], float]) -> None:
    """There are these rows and no others."""
    assert found.keys() == expected.keys()
    assert all(found[key] == pytest.approx(right, rel=1e-12) for key, right in expected.items())


@pytest.mark.slow
def test_rows_that_are_read_back_come_in_groups_of_series_when_one_query_has_no_memory_for_all(
    small: InfluxServer, crowd: pd.DataFrame
) -> None:
    """The rows of ``group_by`` are always read back: others may write beside them, with other tags."""
    spec = replace(
        spec_of("crowd_merged", "1d", "count", "sum", "max", "last"),
        source_bucket="crowd",
        group_by=("device",),
    )
    said: list[str] = []
    with InfluxClient(settings_of(small)) as client:
        client.ensure_bucket(spec.target_bucket)
        drive(roll_up(spec, DAY, RUN, now), client, lambda report: said.append(report.message))
        found = crowd_rows(client, spec.target_bucket)
    require_groups(said, "crowd_merged/m")
    require_rows(found, expected_of(crowd, "count", "sum", "max", "last"))


@pytest.mark.slow
def test_a_tier_of_a_tier_is_merged_in_groups_of_series_when_one_query_has_no_memory_for_all(
    small: InfluxServer, crowd: pd.DataFrame
) -> None:
    hourly = replace(
        spec_of("crowd_hourly", "1h", "count", "sum", "max"), source_bucket="crowd", pipeline="crowd hourly"
    )
    daily = replace(
        spec_of("crowd_daily", "1d", "count", "sum", "max", "mean"),
        source_bucket="crowd_hourly",
        source_tier="crowd hourly",
        ledger_bucket=hourly.ledger_bucket,
    )
    said: list[str] = []
    with InfluxClient(settings_of(small)) as client:
        for spec in (hourly, daily):
            client.ensure_bucket(spec.target_bucket)
            said.clear()
            drive(roll_up(spec, DAY, RUN, now), client, lambda report: said.append(report.message))
        found = crowd_rows(client, daily.target_bucket)
    require_groups(said, "crowd_hourly/m")
    require_rows(found, expected_of(crowd, "count", "sum", "max", "mean"))


def test_query_of_a_user_fails_after_few_tries_when_it_needs_more_memory(small: InfluxServer) -> None:
    flux = (
        'from(bucket: "raw") |> range(start: v.timeRangeStart, stop: v.timeRangeStop)'
        ' |> group() |> sort(columns: ["_value"])'
    )
    with InfluxClient(settings_of(small)) as client, pytest.raises(QueryTooLarge) as caught:
        drive(run_query(QuerySpec(flux), DAY), client, lambda _report: None).as_json()
    assert "(tries: 3," in str(caught.value)
    assert "raise query-memory-bytes" in str(caught.value)
    assert not caught.value.permanent


SLOW = """
import "strings"

from(bucket: "raw")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> map(fn: (r) => ({r with _value: float(v: strings.strlen(v: strings.repeat(v: r.device, i: 1000000)))}))
    |> mean()
"""


def active_queries(server: InfluxServer) -> int:
    """Queries that the server works on."""
    metrics = urllib3.request("GET", f"{server.url}/metrics").data.decode()
    found = re.findall(r"^qc_executing_active(?:{.*})? (\S+)$", metrics, re.MULTILINE)
    return sum(int(float(number)) for number in found)


def test_query_ends_in_the_server_when_it_runs_too_long(small: InfluxServer) -> None:
    with InfluxClient(replace(settings_of(small), max_query_seconds=1.0)) as client:
        seen: set[int] = set()
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.05):
                seen.add(active_queries(small))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            with pytest.raises(QueryTooSlow, match="max_query_seconds=1") as caught:
                drive(run_query(QuerySpec(SLOW), DAY), client, lambda _report: None).as_json()
        finally:
            ended.set()
            watcher.join()
    # it was at work, once at a time
    assert max(seen) == 1
    assert "raise max_query_seconds" in str(caught.value)
    assert "tries: 1," in str(caught.value)
    deadline = time.monotonic() + 60
    while active_queries(small):
        assert time.monotonic() < deadline, "the query still runs in the server"
        time.sleep(0.05)


def test_query_is_refused_when_it_returns_more_rows_than_allowed(small: InfluxServer) -> None:
    flux = 'from(bucket: "raw") |> range(start: v.timeRangeStart, stop: v.timeRangeStop) |> limit(n: 300)'
    with InfluxClient(replace(settings_of(small), max_query_rows=SERIES * 300)) as client:
        answer = drive(run_query(QuerySpec(flux), DAY), client, lambda _report: None).as_json()
        assert answer["rows"] == SERIES * 300
    with (
        InfluxClient(replace(settings_of(small), max_query_rows=SERIES * 300 - 1)) as client,
        pytest.raises(TooManyRows, match="more than 5,999 rows") as caught,
    ):
        drive(run_query(QuerySpec(flux), DAY), client, lambda _report: None).as_json()
    assert "raise max_query_rows" in str(caught.value)
    assert caught.value.permanent
