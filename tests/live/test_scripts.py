"""The published scripts, for any past interval, against pandas."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.exceptions import ScriptInvalid
from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.delete_predicate import delete_predicate
from airflow_provider_influx_rollup.flux.extern import extern_file, window_values
from airflow_provider_influx_rollup.flux.filters import tag_filter
from airflow_provider_influx_rollup.lifecycle.rollup_script.gate import plan_gate
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_influx_rollup.client.influx_client import InfluxClient

pytestmark = pytest.mark.live

SCRIPTS = Path(__file__).parents[2] / "example_dags" / "flux"
# a time and a place that no other test or example uses, since the scripts name their buckets
START = datetime(1999, 5, 6, 7, tzinfo=UTC)
AROUND = Interval(START - timedelta(days=1), START + timedelta(days=1))
PLACE = "hall 51"
INTERVALS = [Interval(START + timedelta(hours=n), START + timedelta(hours=n + 1)) for n in range(3)]
HOUR = Duration.parse("1h")

# script -> measurement, target bucket, width of its windows, pandas aggregate
PUBLISHED = [
    ("hourly_mean.flux", "sensor_readings", "rollup_hourly", "1h", "mean"),
    ("ten_minute_mean.flux", "environmental_sensors", "aggregated_telemetry", "10min", "mean"),
    ("hourly_last.flux", "machine_vibration", "hourly_rollups", "1h", "last"),
]


def made_points(measurement: str) -> pd.DataFrame:
    """Points of two machines with two fields every 37 s, with a gap, a little before and after the hours too."""
    random = np.random.default_rng(7)
    times = pd.date_range(START - timedelta(minutes=5), START + timedelta(hours=3, minutes=5), freq="37s")
    frames = [
        pd.DataFrame(
            {"time": times, "machine_id": machine, "location": PLACE, "field": field,
             "value": random.normal(20, 5, len(times)), "measurement": measurement}
        )
        for machine in ("m1", "m2")
        for field in ("x", "y")
    ]  # fmt: skip
    points = pd.concat(frames, ignore_index=True)
    silent = (points.machine_id == "m2") & (points.time.dt.minute.between(20, 39))
    return points[~silent]


def lines_of(points: pd.DataFrame) -> list[str]:
    return [
        f"{p.measurement},machine_id={p.machine_id},location=hall\\ 51 {p.field}={p.value!r} {p.time.value}"
        for p in points.itertuples()
    ]


def expected_rows(points: pd.DataFrame, width: str, aggregate: str) -> dict[tuple[Any, ...], float]:
    """What aggregateWindow writes: one row per series and window that has points, stamped with its stop."""
    inside = points[(points.time >= START) & (points.time < START + timedelta(hours=3))]
    stop = inside.time.dt.floor(width) + pd.Timedelta(width)
    groups = inside.groupby([inside.machine_id, inside.field, stop])
    values = getattr(groups["value"], aggregate)()
    return {(machine, field, time.to_pydatetime()): value for (machine, field, time), value in values.items()}


@pytest.fixture
def script(request: pytest.FixtureRequest, client: InfluxClient) -> Any:
    """An example script as it is, its target, and what it should write."""
    name, measurement, target, width, aggregate = request.param
    for bucket in ("raw_telemetry", target):
        client.ensure_bucket(bucket)
        client.delete(bucket, AROUND, delete_predicate(measurement, {"location": PLACE}))
    points = made_points(measurement)
    client.write_lines("raw_telemetry", lines_of(points))
    return (SCRIPTS / name).read_text(), target, expected_rows(points, width, aggregate)


def of_place(bucket: str) -> str:
    """Flux that reads what the tests here wrote."""
    return f"""from(bucket: "{bucket}")
  |> range(start: {literals.time(AROUND.start)}, stop: {literals.time(AROUND.stop)})
{tag_filter({"location": PLACE})}"""


def run(client: InfluxClient, text: str, interval: Interval) -> None:
    """Run a script for one interval, as the operator does: gate first."""
    drive(plan_gate(text, window=interval, window_period=HOUR, on_raw_read="fail"), client, lambda _: None)
    client.execute(text, extern=extern_file(v=window_values(interval, HOUR)), now=interval.stop)


def rows_of(client: InfluxClient, bucket: str) -> dict[tuple[Any, ...], float]:
    rows = client.query(of_place(bucket))
    found = {(row["machine_id"], row["_field"], row["_time"]): row["_value"] for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize("script", PUBLISHED, indirect=True, ids=lambda item: item[0])
def test_a_published_script_matches_pandas_when_run_in_any_order_and_twice(
    client: InfluxClient, script: tuple[str, str, dict[tuple[Any, ...], float]]
) -> None:
    text, target, expected = script
    for interval in (INTERVALS[2], INTERVALS[0], INTERVALS[1]):
        run(client, text, interval)
    once = rows_of(client, target)
    assert once.keys() == expected.keys()
    assert list(once.values()) == pytest.approx([expected[key] for key in once], rel=1e-12)
    for interval in INTERVALS:
        run(client, text, interval)
    assert rows_of(client, target) == once
    # a series that is stored under two keys would be counted twice
    counted = client.query(f"{of_place(target)} |> group() |> count()")
    assert [row["_value"] for row in counted] == [len(expected)]
    series = client.query(f'{of_place(target)} |> last() |> group() |> count(column: "_field")')
    assert [row["_field"] for row in series] == [4]


def test_the_published_last_is_stopped_with_the_reason_when_it_is_run(
    client: InfluxClient, bucket_factory: Callable[..., str]
) -> None:
    source, target = bucket_factory(), bucket_factory()
    client.write_lines(source, lines_of(made_points("machine_vibration")))
    text = (SCRIPTS / "hourly_last_as_published.flux").read_text()
    text = text.replace('"raw_telemetry"', f'"{source}"').replace('"hourly_rollups"', f'"{target}"')
    with pytest.raises(ScriptInvalid) as caught:
        run(client, text, INTERVALS[0])
    message = str(caught.value)
    assert "keep() on line 11 dropped _measurement and _field, which to() on line 12 needs" in message
    assert 'add "_measurement" and "_field" to the columns of keep()' in message
    assert client.query(f'from(bucket: "{target}") |> range(start: 0)') == []


def test_now_moves_with_the_window_when_a_script_looks_back_from_it(
    client: InfluxClient, bucket_factory: Callable[..., str]
) -> None:
    source, target = bucket_factory(), bucket_factory()
    points = made_points("m")
    client.write_lines(source, lines_of(points))
    text = f"""option task = {{name: "back", every: 1h}}
from(bucket: "{source}") |> range(start: -task.every)
  |> aggregateWindow(every: 1h, fn: count, createEmpty: false) |> to(bucket: "{target}")"""
    for interval in INTERVALS:
        run(client, text, interval)
    assert rows_of(client, target) == expected_rows(points, "1h", "count")


def slimmed(node: Any) -> Any:
    """A syntax tree without what no fact is read from."""
    if isinstance(node, list):
        return [slimmed(child) for child in node]
    if not isinstance(node, dict):
        return node
    kept = {
        key: slimmed(child) for key, child in node.items() if key not in ("location", "comments", "metadata")
    }
    if node.get("type") == "CallExpression":
        kept["location"] = {"start": {"line": node["location"]["start"]["line"]}}
    return kept


def test_the_recorded_syntax_trees_are_those_of_the_server_when_parsed_again(client: InfluxClient) -> None:
    path = Path(__file__).parents[1] / "unit" / "flux" / "recorded" / "scripts.json"
    recorded = json.loads(path.read_text())
    assert recorded
    for name, entry in recorded.items():
        assert slimmed(client.parse_script(entry["script"])) == entry["syntax_tree"], name
