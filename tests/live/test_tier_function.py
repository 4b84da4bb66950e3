"""The function of ``influx-rollup tiers --flux`` on a real server; pandas over the raw points is the oracle."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.cli.main import main
from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.flux.extern import extern_file, window_values
from airflow_provider_influx_rollup.flux.tier_choice import TierFunction
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle, Tier
from airflow_provider_influx_rollup.lifecycle.pipeline.tier_function import tier_function
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.interval import Interval

pytestmark = pytest.mark.live

START = datetime(2026, 3, 1, tzinfo=UTC)
SPAN = Interval(START, START + timedelta(days=2))
DEVICES = ("a", "b")


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    rng = random.Random(7)
    times = [START + timedelta(minutes=minute, seconds=rng.randrange(60)) for minute in range(2 * 1440)]
    rows = [
        (time, device, float(rng.randrange(100)))
        for time in times
        for device in DEVICES
        if rng.random() > 0.2
    ]
    return pd.DataFrame(rows, columns=["time", "d", "value"])


@pytest.fixture(scope="module")
def stored(module_client: InfluxClient, module_bucket: Callable[[], str], points: pd.DataFrame) -> Lifecycle:
    lifecycle = Lifecycle(
        source_bucket=module_bucket(),
        measurement='m "1"',
        tiers=[
            Tier(
                module_bucket(),
                every="5m",
                aggregates=["count", "sum", "min", "max", "first", "last", "mean"],
            ),
            Tier(module_bucket(), every="1h"),
            Tier(module_bucket(), every="1d", timezone="Europe/Berlin"),
        ],
        ledger_bucket=module_bucket(),
    )
    rows = points.itertuples(index=False)
    lines = [f'm\\ "1",d={row.d} temp={row.value} {int(row.time.timestamp())}000000000' for row in rows]
    module_client.write_lines(lifecycle.source_bucket, lines)
    for spec, span in zip(lifecycle.specs(), (SPAN, SPAN, berlin_days()), strict=True):
        run = RunInfo(dag_id="d", task_id="t", run_id="r")
        drive(roll_up(spec, span, run, lambda: datetime.now(UTC)), module_client, lambda _: None)
    return lifecycle


def berlin_days() -> Interval:
    """The one whole day of Berlin in the points."""
    return Interval(START + timedelta(hours=23), START + timedelta(hours=47))


def ask(
    client: InfluxClient, lifecycle: Lifecycle, resolution: str, aggregate: str, **edges: str
) -> list[Any]:
    rows = ask_rows(client, tier_function(lifecycle), resolution, aggregate, **edges)
    assert {row["_field"] for row in rows} <= {f"temp_{aggregate}"}
    return sorted((row["_time"], row["d"], row["_value"]) for row in rows)


def ask_rows(
    client: InfluxClient, function: TierFunction, resolution: str, aggregate: str, **edges: str
) -> list[dict[str, Any]]:
    edges = {"start": "2026-03-01T06:30:00Z", "stop": "2026-03-02T18:00:00Z", **edges}
    call = (
        f'tiers(start: {edges["start"]}, stop: {edges["stop"]}, resolution: {resolution}, field: "temp", '
        f'aggregate: "{aggregate}")'
    )
    return client.query(f"{function.flux()}\n\n{call}")


def expected(points: pd.DataFrame, every: str, aggregate: str, start: str, stop: str) -> list[Any]:
    found = points.assign(window=points["time"].dt.floor(every))
    found = found[(found["window"] >= pd.Timestamp(start)) & (found["window"] < pd.Timestamp(stop))]
    values = found.groupby(["window", "d"])["value"].agg(aggregate)
    return sorted((window.to_pydatetime(), device, value) for (window, device), value in values.items())


@pytest.mark.parametrize("aggregate", ["count", "sum", "min", "max", "first", "last"])
@pytest.mark.parametrize(
    ("resolution", "every", "first"),
    [
        # finer than any tier: raw points
        ("1m", "1min", "2026-03-01T06:30:00Z"),
        ("5m", "5min", "2026-03-01T06:30:00Z"),
        # windows of five minutes, merged; the first window is a whole one
        ("20m", "20min", "2026-03-01T06:20:00Z"),
        # not a multiple: windows of five minutes as they are
        ("7m", "5min", "2026-03-01T06:30:00Z"),
        ("2h", "2h", "2026-03-01T06:00:00Z"),
    ],
)
def test_function_returns_what_the_raw_points_give(
    client: InfluxClient,
    stored: Lifecycle,
    points: pd.DataFrame,
    resolution: str,
    every: str,
    first: str,
    aggregate: str,
) -> None:
    rows = ask(client, stored, resolution, aggregate)
    assert rows == expected(points, every, aggregate, first, "2026-03-02T18:00:00Z")
    assert len(rows) > 20


def test_local_days_are_returned_as_they_are(
    client: InfluxClient, stored: Lifecycle, points: pd.DataFrame
) -> None:
    rows = ask(client, stored, "7d", "count", start="2026-03-01T00:00:00Z")
    inside = points[(points["time"] >= berlin_days().start) & (points["time"] < berlin_days().stop)]
    assert rows == [(berlin_days().start, device, len(inside[inside["d"] == device])) for device in DEVICES]


def test_mean_of_a_tier_is_returned_as_it_is_stored(
    client: InfluxClient, stored: Lifecycle, points: pd.DataFrame
) -> None:
    rows = ask(client, stored, "1h", "mean", start="2026-03-01T06:00:00Z")
    wanted = expected(points, "1h", "mean", "2026-03-01T06:00:00Z", "2026-03-02T18:00:00Z")
    assert [row[:2] for row in rows] == [row[:2] for row in wanted]
    assert [row[2] for row in rows] == pytest.approx([row[2] for row in wanted])


@pytest.mark.parametrize(
    ("kept", "bucket"),
    [
        ((None, None, None, None), 1),
        # what no longer reaches back is passed over
        (("1d", "1d", None, None), 2),
        # nothing reaches back: what reaches back furthest
        (("1d", "2d", "3d", "2d"), 2),
    ],
)
def test_tier_is_chosen_by_how_far_back_it_reaches(
    client: InfluxClient, stored: Lifecycle, kept: tuple[str | None, ...], bucket: int
) -> None:
    function = tier_function(stored)
    lengths = [0 if one is None else int(one[:-1]) * 86_400_000_000_000 for one in kept]
    parts = [
        replace(part, kept_ns=length)
        for part, length in zip([function.raw, *function.tiers], lengths, strict=True)
    ]
    flux = replace(function, raw=parts[0], tiers=parts[1:]).flux()
    call = 'tiers(start: 2026-03-01T06:00:00Z, stop: 2026-03-02T18:00:00Z, resolution: 10m, field: "temp", aggregate: "max")'
    now = datetime(2026, 3, 20, tzinfo=UTC)
    times = {row["_time"] for row in client.query(f"{flux}\n\n{call}", now=now)}
    width = {1: timedelta(minutes=10), 2: timedelta(hours=1)}[bucket]
    assert len(times) == timedelta(hours=36) / width


def test_rows_are_computed_by_the_storage_engine(client: InfluxClient, stored: Lifecycle) -> None:
    call = 'tiers(start: 2026-03-01T06:00:00Z, stop: 2026-03-02T18:00:00Z, resolution: 10m, field: "temp", aggregate: "max")'
    flux = f'import "profiler"\n\noption profiler.enabledProfilers = ["query"]\n\n{tier_function(stored).flux()}\n\n{call}'
    (profile,) = [row for row in client.query(flux) if row["result"] == "_profiler"]
    assert "ReadWindowAggregate" in profile["flux/query-plan"]


@pytest.mark.parametrize("aggregate", ["count", "sum", "min", "max"])
def test_raw_points_are_merged_and_filtered_as_those_of_the_tiers(
    client: InfluxClient, stored: Lifecycle, points: pd.DataFrame, aggregate: str
) -> None:
    edges = {"start": "2026-03-01T06:00:00Z", "stop": "2026-03-02T18:00:00Z"}
    function = tier_function(stored)
    merged = ask_rows(client, replace(function, group_by=()), "2m", aggregate, **edges)
    wanted = expected(points.assign(d="both"), "2min", aggregate, *edges.values())
    assert sorted((row["_time"], "both", row["_value"]) for row in merged) == wanted
    assert not [row for row in merged if "d" in row]
    only = ask_rows(client, replace(function, tags={"d": ("b",)}), "2m", aggregate, **edges)
    assert {row["d"] for row in only} == {"b"}


@pytest.fixture
def file(tmp_path: Path, stored: Lifecycle) -> Path:
    path = tmp_path / "lifecycle.yaml"
    tiers = [{"bucket": tier.bucket, "every": tier.every, "timezone": tier.timezone} for tier in stored.tiers]
    tiers[0]["aggregates"] = list(stored.tiers[0].aggregates or ())
    declared = {"source_bucket": stored.source_bucket, "measurement": stored.measurement, "tiers": tiers}
    path.write_text(json.dumps(declared))
    return path


def test_command_prints_the_function(
    file: Path, stored: Lifecycle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tiers", str(file), "--flux"]) == 0
    assert capsys.readouterr().out == tier_function(stored).flux() + "\n"


def test_command_lists_the_tiers(file: Path, stored: Lifecycle, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tiers", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["tiers"]
    assert [tier["bucket"] for tier in told] == [
        stored.source_bucket,
        *(tier.bucket for tier in stored.tiers),
    ]


def test_dashboard_of_the_command_has_queries_that_run(
    client: InfluxClient, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tiers", str(file), "--grafana"]) == 0
    dashboard = json.loads(capsys.readouterr().out)
    chosen = {"measurement": 'm \\"1\\"', "field": "temp", "aggregate": "max"}
    extern = extern_file(v=window_values(SPAN, timedelta(hours=1)))
    asked = list(queries(dashboard, chosen))
    assert len(asked) == 2
    for flux in asked:
        assert client.query(flux, extern=extern, now=SPAN.stop)


def queries(dashboard: dict[str, Any], chosen: dict[str, str]) -> Iterator[str]:
    """The queries of panels and of variables, with what people have chosen."""
    texts = [target["query"] for panel in dashboard["panels"] for target in panel["targets"]]
    texts += [one["query"] for one in dashboard["templating"]["list"] if one["type"] == "query"]
    for text in texts:
        yield re.sub(r"\$\{(\w+)\}", lambda found: chosen[found[1]], text)
