"""The texts of generated queries, as files that people can read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.flux.ledger_read import (
    receipts_query,
    specs_query,
    states_query,
    survivors_query,
)
from airflow_provider_influx_rollup.flux.rollup import Chain, RollupSource, render_partials, render_rollup
from airflow_provider_influx_rollup.flux.source_read import (
    counts_query,
    field_totals_query,
    fields_query,
    raw_query,
)
from airflow_provider_influx_rollup.flux.target_read import presence_query, target_query, target_totals_query
from airflow_provider_influx_rollup.windows.equal_runs import equal_runs
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval

SNAPSHOTS = Path(__file__).parent / "snapshots"
START = datetime(2025, 3, 8, tzinfo=UTC)
DAY = Interval(START, START + timedelta(days=1))
SOURCE = RollupSource("raw_telemetry", "sensor_readings", {})
CHOSEN = RollupSource("raw_telemetry", "sensor_readings", {"site": ("berlin", 'west "2"'), "line": ("",)})
HOURS = equal_runs(Grid.of("1h").windows(DAY))
# the clocks change on the second of three days
LOCAL = equal_runs(
    Grid.of("1d", timezone="America/Los_Angeles").windows(
        Interval(datetime(2010, 3, 13, 8, tzinfo=UTC), datetime(2010, 3, 16, 7, tzinfo=UTC))
    )
)
COUNT = Chain(field="temp", flux_function="count", is_pushed=True, column="temp_count")
MEAN = Chain(field="temp", flux_function="mean", is_pushed=True, column="temp_mean")
P99 = Chain(
    field="temp",
    flux_function='toFloat() |> quantile(q: 0.99, method: "exact_mean")',
    is_pushed=False,
    column="temp_p99",
)
HIDDEN = Chain(field="temp", flux_function="count", is_pushed=True, column="temp_count", is_written=False)
ODD = Chain(field='a "b" ${c}', flux_function="last", is_pushed=True, column='a "b" ${c}_last')

TEXTS = {
    "rollup_hours": render_rollup(SOURCE, [COUNT, MEAN], HOURS, "rollup_hourly", "sensor_readings"),
    "rollup_on_the_server": render_rollup(SOURCE, [P99, HIDDEN], HOURS, "rollup_hourly", "sensor_readings"),
    "rollup_local_days": render_rollup(SOURCE, [COUNT], LOCAL, "rollup_daily", "sensor_readings"),
    "rollup_odd_names": render_rollup(CHOSEN, [ODD], HOURS, "rollup_hourly", "hourly, all"),
    "partials": render_partials(CHOSEN, HOURS, ["count", "last"], "temp", keeps_times=True),
    "fields": fields_query(SOURCE, [DAY]),
    "fields_of_parts": fields_query(SOURCE, [DAY, Interval(DAY.stop, DAY.stop + timedelta(days=1))]),
    "field_totals": field_totals_query(CHOSEN, DAY, ["temp", "hum"]),
    "counts": counts_query(SOURCE, LOCAL, ["temp"]),
    "raw": raw_query(CHOSEN, DAY, ["temp"]),
    "target": target_query(
        "rollup_hourly",
        "sensor_readings",
        DAY,
        aggregate_names=["count", "p99.9"],
        tags={"site": ("berlin",)},
    ),
    "target_totals": target_totals_query(
        "rollup_hourly",
        "sensor_readings",
        DAY,
        aggregate_names=["count", "mean"],
        tags={"site": ("berlin",)},
        count_fields=["temp_count"],
    ),
    "target_everything": target_query("rollup_hourly", "sensor_readings", DAY, aggregate_names=None, tags={}),
    "presence": presence_query("rollup_hourly", "sensor_readings", DAY),
    "receipts": receipts_query("rollup_ledger", 'raw/"m"->hourly@1h', "rollup", DAY),
    "specs": specs_query("rollup_ledger"),
    "states": states_query("rollup_ledger", 'raw/"m"->t@1h', "rollup", DAY),
    "survivors": survivors_query("rollup_ledger", "mine", DAY),
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_is_the_recorded_one_when_a_query_is_generated(name: str) -> None:
    assert TEXTS[name].rstrip() + "\n" == (SNAPSHOTS / f"{name}.flux").read_text()


def test_every_snapshot_belongs_to_a_query() -> None:
    assert {path.stem for path in SNAPSHOTS.glob("*.flux")} == set(TEXTS)


def test_names_stay_as_they_are_when_they_look_like_placeholders() -> None:
    text = render_rollup(SOURCE, [COUNT], HOURS, "%s {0}", "%s")
    assert 'influxdb.wideTo(bucket: "%s {0}")' in text
    assert '|> set(key: "_measurement", value: "%s")' in text
