"""The texts of generated queries, as files that people can read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.flux.chains import PartialAggregates, RollupChains
from airflow_provider_influx_rollup.flux.ledger_read import (
    ReceiptsOf,
    ReceiptStates,
    SetAsideRecords,
    StoredSpecs,
)
from airflow_provider_influx_rollup.flux.query import FluxText
from airflow_provider_influx_rollup.flux.rollup import Chain, RollupSource
from airflow_provider_influx_rollup.flux.source_read import (
    FieldSeries,
    FieldTotals,
    FieldTypes,
    RawPoints,
    SeriesAtMost,
    WindowCounts,
)
from airflow_provider_influx_rollup.flux.target_read import PointsThere, TargetTotals, TargetValues
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


def rolled(*chains: Chain, source: RollupSource = SOURCE, runs: Any = HOURS, **target: str) -> RollupChains:
    return RollupChains(
        source=source,
        chains=chains,
        runs=runs,
        target_bucket=target.get("bucket", "rollup_hourly"),
        target_measurement=target.get("measurement", "sensor_readings"),
    )


TARGET: Any = {"bucket": "rollup_hourly", "measurement": "sensor_readings", "interval": DAY}
QUERIES: dict[str, FluxText] = {
    "rollup_hours": rolled(COUNT, MEAN),
    "rollup_on_the_server": rolled(P99, HIDDEN),
    "rollup_local_days": rolled(COUNT, runs=LOCAL, bucket="rollup_daily"),
    "rollup_odd_names": rolled(ODD, source=CHOSEN, measurement="hourly, all"),
    "partials": PartialAggregates(
        source=CHOSEN, runs=HOURS, names=["count", "last"], field="temp", keeps_times=True
    ),
    "fields": FieldTypes(SOURCE, [DAY]),
    "fields_of_parts": FieldTypes(SOURCE, [DAY, Interval(DAY.stop, DAY.stop + timedelta(days=1))]),
    "field_totals": FieldTotals(CHOSEN, DAY, ["temp", "hum"]),
    "series_at_most": SeriesAtMost(CHOSEN, DAY),
    "field_series": FieldSeries(CHOSEN, DAY, ["temp", "hum"]),
    "counts": WindowCounts(SOURCE, LOCAL, ["temp"]),
    "raw": RawPoints(CHOSEN, DAY, ["temp"]),
    "target": TargetValues(
        **TARGET,
        aggregate_names=["count", "p99.9"],
        tags={"site": ("berlin",)},
    ),
    "target_totals": TargetTotals(
        **TARGET,
        aggregate_names=["count", "mean"],
        tags={"site": ("berlin",)},
        count_fields=["temp_count"],
    ),
    "target_everything": TargetValues(**TARGET),
    "presence": PointsThere("rollup_hourly", "sensor_readings", DAY),
    "receipts": ReceiptsOf("rollup_ledger", 'raw/"m"->hourly@1h', "rollup", DAY),
    "specs": StoredSpecs("rollup_ledger"),
    "states": ReceiptStates("rollup_ledger", 'raw/"m"->t@1h', "rollup", DAY),
    "survivors": SetAsideRecords("rollup_ledger", "mine", DAY),
}


@pytest.mark.parametrize("name", QUERIES)
def test_text_is_the_recorded_one_when_a_query_is_generated(name: str) -> None:
    assert QUERIES[name].flux().rstrip() + "\n" == (SNAPSHOTS / f"{name}.flux").read_text()


def test_every_snapshot_belongs_to_a_query() -> None:
    assert {path.stem for path in SNAPSHOTS.glob("*.flux")} == set(QUERIES)


def test_names_stay_as_they_are_when_they_look_like_placeholders() -> None:
    text = rolled(COUNT, bucket="%s {0}", measurement="%s").flux()
    assert 'influxdb.wideTo(bucket: "%s {0}")' in text
    assert '|> set(key: "_measurement", value: "%s")' in text
