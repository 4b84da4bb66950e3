"""Every example DAG runs on a real InfluxDB, and its target holds what pandas computes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from dev import san_francisco
from dev.airflow_backfill import Backfill, make_ready, run_backfill
from dev.airflow_dag_test import run_dag
from dev.airflow_process import AirflowProcess
from dev.fleet import FIELDS, MEASUREMENT, SILENT_DEVICE, TAGS, Fleet, make_fleet, small_plan
from dev.influx_http import InfluxAddress
from tests import oracle

pytestmark = [pytest.mark.airflow, pytest.mark.live, pytest.mark.timeout(300)]

EXAMPLES = Path(__file__).resolve().parents[2] / "example_dags"
EXPECTED_DAGS = {
    "shortest_rollup",
    "three_stages",
    "three_tiers",
    "validated_tiers",
    "lifecycle_from_yaml",
    "many_buckets",
    "local_days",
    "own_scripts",
    "templated_script",
    "many_queries",
    *("native_rollup", "native_lifecycle", "native_task"),
    *("archive_windows", "archive_and_purge", "erase_customer"),
    *("hourly_assets", "daily_of_assets"),
}
ALWAYS = ("1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z")
MERGEABLE = ["count", "sum", "min", "max", "first", "last"]

RunExample = Callable[..., None]


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return make_fleet(small_plan())


@pytest.fixture
def place(new_organisation: Callable[[], InfluxAddress]) -> Iterator[InfluxAddress]:
    """An organisation of the test's own: the examples have fixed bucket names."""
    made = new_organisation()
    with made.buckets_made_meanwhile_deleted():
        yield made


@pytest.fixture
def run_example(real_airflow: AirflowProcess, place: InfluxAddress) -> RunExample:
    """Runs all tasks of a DAG for the data interval that ends at an instant, as ``airflow dags test`` does."""
    connection = {"AIRFLOW_CONN_INFLUX_ROLLUP_DEFAULT": place.connection()}

    def run(dag_id: str, stop: str, *, conf: str = "{}", **variables: str) -> None:
        run_dag(real_airflow, dag_id, stop, "--conf", conf, environment={**connection, **variables})
        states = real_airflow.rows("select state from task_instance where dag_id = ?", (dag_id,))
        assert {state for (state,) in states} == {"success"}

    return run


def load(place: InfluxAddress, bucket: str, lines: Iterator[str]) -> None:
    place.fresh_buckets(bucket)
    for _ in place.write(bucket, lines):
        pass


def fleet_lines(fleet: Fleet, *, site: str = "") -> Iterator[str]:
    return (line for wave in fleet.waves() for line in wave if f",site={site}" in line)


def differences(place: InfluxAddress, bucket: str, measurement: str, expected: pd.DataFrame) -> list[str]:
    target = oracle.read_target(place.url, place.org, place.token, bucket, measurement, ALWAYS[0], ALWAYS[1])
    return oracle.compare(target, expected)


def test_examples_are_all_known_to_airflow(real_airflow: AirflowProcess) -> None:
    since_three = {"approved_purge"}
    make_ready(real_airflow, *EXPECTED_DAGS, *(since_three if real_airflow.is_three else ()))
    assert real_airflow.rows("select filename, stacktrace from import_error") == []
    files = {path.stem for path in EXAMPLES.glob("*.py")}
    assert files == EXPECTED_DAGS | since_three


def test_shortest_rollup_holds_the_oracles_rows(
    place: InfluxAddress, fleet: Fleet, run_example: RunExample
) -> None:
    load(place, "raw_telemetry", fleet_lines(fleet))
    place.fresh_buckets("rollup_hourly")
    run_example("shortest_rollup", "2025-03-08T05:00:00+00:00")
    spans = oracle.windows("2025-03-08 04:00", "2025-03-08 05:00", "1h")
    both = ["mean", "max"]
    expected = oracle.rollup(fleet.points, TAGS, spans, {"temperature": both, "humidity": both})
    assert differences(place, "rollup_hourly", MEASUREMENT, expected) == []


def test_three_stages_wait_roll_up_and_name_the_silent(place: InfluxAddress, run_example: RunExample) -> None:
    # of yesterday, as InfluxDB's own bucket of statuses keeps seven days
    start = pd.Timestamp.now("UTC").floor("D") - pd.Timedelta(days=1)
    fleet = make_fleet(small_plan(start.to_pydatetime()))
    load(place, "raw_telemetry", fleet_lines(fleet))
    place.fresh_buckets("rollup_hourly")
    begin, end = start + pd.Timedelta(hours=7), start + pd.Timedelta(hours=8)
    run_example("three_stages", end.isoformat())
    rules = {
        "temperature": MERGEABLE,
        "humidity": MERGEABLE,
        "count": ["first", "last", "max"],
        "status": ["count", "last"],
        "ok": ["count", "last"],
    }
    assert rules.keys() == set(FIELDS)
    expected = oracle.rollup(fleet.points, TAGS, [(begin, end)], rules)
    assert differences(place, "rollup_hourly", MEASUREMENT, expected) == []
    flux = f"""from(bucket: "_monitoring") |> range(start: {begin.isoformat()}, stop: 2100-01-01T00:00:00Z)
        |> filter(fn: (r) => r._measurement == "statuses" and r._field == "_message")"""
    statuses = oracle.query(place.url, place.org, place.token, flux)
    levels = {row["device_id"]: row["_level"] for row in statuses}
    assert levels == dict.fromkeys(fleet.plan.device_ids, "ok") | {SILENT_DEVICE: "crit"}


def test_three_tiers_hold_the_oracles_rows_when_a_day_is_backfilled(
    real_airflow: AirflowProcess, organisation: InfluxAddress, fleet: Fleet
) -> None:
    buckets = {"telemetry_5m": "5min", "telemetry_1h": "1h", "telemetry_1d": "1D"}
    load(organisation, "raw_telemetry", fleet_lines(fleet))
    organisation.fresh_buckets(*buckets)
    first, last = datetime(2025, 3, 8, tzinfo=UTC), datetime(2025, 3, 8, 12, tzinfo=UTC)
    assert run_backfill(real_airflow, Backfill("three_tiers", first, last)).runs == {"success": 2}
    names = ["count", "sum", "min", "max", "last", "stddev"]
    asked = {
        "telemetry_5m": names,
        "telemetry_1h": [*names, "mean"],
        "telemetry_1d": [*names[:1], *names[2:], "mean"],
    }
    for bucket, every in buckets.items():
        spans = oracle.windows("2025-03-08", "2025-03-09", every)
        rules = dict.fromkeys(("temperature", "humidity"), asked[bucket])
        expected = oracle.rollup(fleet.points, TAGS, spans, rules)
        assert differences(organisation, bucket, MEASUREMENT, expected) == []
    query = "select state from task_instance where dag_id = 'three_tiers' and task_id = 'telemetry.rollup_1d'"
    # the day is rolled up by the run that completes it
    assert ("success",) in real_airflow.rows(query)


def test_five_measurements_have_three_tiers_when_a_file_declares_them(
    place: InfluxAddress, run_example: RunExample
) -> None:
    names = ["cpu", "mem", "disk", "net", "system"]
    times = pd.date_range("2025-03-08", "2025-03-09", freq="3min", inclusive="left", tz="UTC")
    points = {
        name: pd.DataFrame(
            {
                "_time": times,
                "host": "a",
                "usage": [float((at * (5 + shift)) % 97) for at in range(len(times))],
            }
        )
        for shift, name in enumerate(names)
    }
    lines = (
        f"{name},host=a usage={row[1]} {row[0].value}"
        for name in names
        for row in points[name][["_time", "usage"]].itertuples(index=False)
    )
    load(place, "telegraf", lines)
    place.fresh_buckets("telegraf_5m", "telegraf_1h", "telegraf_1d")
    run_example("lifecycle_from_yaml", "2025-03-09T00:00:00+00:00")
    merged = ["count", "sum", "min", "max"]
    for bucket, every, asked in (
        ("telegraf_5m", "5min", merged),
        ("telegraf_1h", "1h", merged),
        ("telegraf_1d", "24h", ["count", "mean", "max"]),
    ):
        spans = oracle.windows("2025-03-08", "2025-03-09", every)
        for name in names:
            expected = oracle.rollup(points[name], ["host"], spans, {"usage": asked})
            assert differences(place, bucket, name, expected) == []


def test_validated_tiers_hold_only_what_breaks_no_rule(
    place: InfluxAddress, fleet: Fleet, run_example: RunExample
) -> None:
    points = fleet.points.copy()
    wrong = points.index[points["device_id"] == "device-003"][[50, 51, 400]]
    device = f"{MEASUREMENT},device_id=device-003,firmware=1.9,site=west\\,\\ hall\\ 2"
    faults = (f"{device} temperature=900.5 {time.as_unit('ns').value}" for time in points.loc[wrong, "_time"])
    load(place, "raw_telemetry", chain(fleet_lines(fleet), faults))
    place.fresh_buckets("clean_5m", "clean_1h", "clean_1d")
    run_example("validated_tiers", "2025-03-09T00:00:00+00:00")
    points.loc[wrong, "temperature"] = float("nan")
    points["humidity"] *= 0.01
    for bucket, every, names in (
        ("clean_5m", "5min", ["count", "sum", "min", "max", "last"]),
        ("clean_1d", "24h", ["count", "mean", "min", "max", "last"]),
    ):
        spans = oracle.windows("2025-03-08", "2025-03-09", every)
        rules = dict.fromkeys(("temperature", "humidity"), names)
        assert differences(place, bucket, MEASUREMENT, oracle.rollup(points, TAGS, spans, rules)) == []
    copies = oracle.read_target(
        place.url, place.org, place.token, "telemetry_quarantine", MEASUREMENT, *ALWAYS
    )
    # a spike, which only warns, is copied too
    assert copies["violated_rule"].value_counts().to_dict() == {
        "range:temperature": 3,
        "spike:temperature": 3,
    }
    assert set(copies["_value"]) == {900.5}


def test_many_buckets_are_rolled_up_by_one_task_each(
    place: InfluxAddress, fleet: Fleet, run_example: RunExample
) -> None:
    names = ["count", "mean", "median", "p99", "stddev"]
    spans = oracle.windows("2025-03-08 00:00", "2025-03-08 06:00", "1h")
    for site in ("berlin", "nairobi"):
        load(place, f"{site}_raw", fleet_lines(fleet, site=site))
        place.fresh_buckets(f"{site}_hourly")
    run_example("many_buckets", "2025-03-08T06:00:00+00:00")
    for site in ("berlin", "nairobi"):
        points = fleet.points[fleet.points["site"] == site]
        expected = oracle.rollup(points, TAGS, spans, {"temperature": names, "humidity": names})
        assert differences(place, f"{site}_hourly", MEASUREMENT, expected) == []


@pytest.mark.parametrize(
    ("day", "stop", "points"),
    [
        ("2010-03-14", "2010-03-15T07:00:00+00:00", 23),
        ("2010-07-04", "2010-07-05T07:00:00+00:00", 24),
        ("2010-11-07", "2010-11-08T08:00:00+00:00", 24),
    ],
    ids=["23 hours", "24 hours", "25 hours, one not measured"],
)
def test_local_days_hold_the_oracles_rows_when_the_clocks_change(
    place: InfluxAddress, run_example: RunExample, day: str, stop: str, points: int
) -> None:
    temperatures = san_francisco.load_points()
    load(place, "raw_weather", iter(san_francisco.encode_lines(temperatures)))
    place.fresh_buckets("weather_daily")
    run_example("local_days", stop)
    names = ["count", "mean", "min", "max", "median", "p99", "integral"]
    spans = oracle.local_days(day, day, san_francisco.TIMEZONE)
    expected = oracle.rollup(temperatures, san_francisco.TAGS, spans, {san_francisco.FIELD: names})
    assert expected.loc[expected["_field"] == "fahrenheit_count", "_value"].tolist() == [points]
    assert differences(place, "weather_daily", san_francisco.MEASUREMENT, expected) == []


SCRIPTS = [
    # measurement, its tag, target, the script's windows, the script's function
    ("sensor_readings", "device_id", "rollup_hourly", "1h", "mean"),
    ("environmental_sensors", "device_id", "aggregated_telemetry", "10min", "mean"),
    ("machine_vibration", "machine_id", "hourly_rollups", "1h", "last"),
]


def numbers_only(points: pd.DataFrame, measurement: str, tag: str) -> Iterator[str]:
    """Lines without strings and booleans, which the scripts' ``mean`` refuses."""
    for device, temperature, time in zip(
        points["device_id"], points["temperature"], points["_time"], strict=True
    ):
        name = device.replace(" ", "\\ ").replace("=", "\\=")
        yield f"{measurement},{tag}={name} temperature={temperature!r} {time.as_unit('ns').value}"


def test_own_scripts_write_what_they_say_when_run_for_a_past_hour(
    place: InfluxAddress, fleet: Fleet, run_example: RunExample
) -> None:
    lines = [line for script in SCRIPTS for line in numbers_only(fleet.points, *script[:2])]
    load(place, "raw_telemetry", iter(lines))
    place.fresh_buckets(*(script[2] for script in SCRIPTS))
    run_example("own_scripts", "2025-03-08T05:00:00+00:00")
    for measurement, tag, bucket, every, function in SCRIPTS:
        spans = oracle.windows("2025-03-08 04:00", "2025-03-08 05:00", every)
        points = fleet.points.rename(columns={"device_id": tag})
        expected = oracle.rollup(points, [tag], spans, {"temperature": [function]})
        # aggregateWindow names a window by its stop
        expected["_time"] += pd.Timedelta(every).value
        target = oracle.read_target(place.url, place.org, place.token, bucket, measurement, *ALWAYS)
        assert set(target["_field"]) == {"temperature"}
        target["_field"] += f"_{function}"  # the comparison knows by the name which floats are computed
        assert oracle.compare(target, expected) == []


def test_templated_script_is_sent_as_airflow_shows_it(
    place: InfluxAddress, fleet: Fleet, run_example: RunExample, real_airflow: AirflowProcess
) -> None:
    load(place, "raw_telemetry", fleet_lines(fleet))
    place.fresh_buckets("rollup_sites")
    run_example("templated_script", "2025-03-08T05:00:00+00:00", conf='{"least": 15}')
    points = fleet.points[fleet.points["site"].isin(["berlin", "west, hall 2"])]
    spans = oracle.windows("2025-03-08 04:00", "2025-03-08 05:00", "1h")
    expected = oracle.rollup(points, list(TAGS), spans, {"temperature": ["mean"]})
    expected["_time"] += pd.Timedelta("1h").value
    everywhere = len(expected)
    expected = expected[expected["_value"] >= 15]
    assert 0 < len(expected) < everywhere
    target = oracle.read_target(
        place.url, place.org, place.token, "rollup_sites", MEASUREMENT, ALWAYS[0], ALWAYS[1]
    )
    target["_field"] += "_mean"
    assert oracle.compare(target, expected) == []
    ((shown,),) = real_airflow.rows(
        "select rendered_fields from rendered_task_instance_fields where dag_id = ?", ("templated_script",)
    )
    fields = json.loads(shown)
    assert 'r["site"] == "berlin" or r["site"] == "west, hall 2"' in fields["flux"]
    assert (fields["params_flux"], fields["target_bucket"]) == ({"least": 15.0}, "rollup_sites")
    # what the ledger says was sent is what Airflow shows
    flux = """
from(bucket: "rollup_ledger") |> range(start: 0) |> filter(fn: (r) => r._measurement == "pipeline_spec" and r._field == "spec")"""
    (spec,) = oracle.query(place.url, place.org, place.token, flux)
    assert json.loads(spec["_value"])["script"] == fields["flux"]


def test_archive_windows_hold_every_point_of_the_day(
    place: InfluxAddress, fleet: Fleet, run_example: RunExample, tmp_path: Path
) -> None:
    load(place, "raw_telemetry", fleet_lines(fleet))
    # the day of the run itself is compacted, without waiting for a week
    variables = {"AIRFLOW_VAR_TELEMETRY_ARCHIVE": str(tmp_path), "AIRFLOW_VAR_TELEMETRY_COMPACT_DELAY": "0s"}
    run_example("archive_windows", "2025-03-09T00:00:00+00:00", **variables)
    assert len(list(tmp_path.rglob("gen=1/manifest.json"))) == 24 + 1
    (whole,) = tmp_path.rglob("window=20250308T000000Z_20250309T000000Z")
    kinds = [path.name.partition("-")[0] for path in whole.rglob("*.parquet")]
    assert len(kinds) == len(set(kinds)) > 1
    hours = [path for path in tmp_path.rglob("*.parquet") if whole not in path.parents]
    require_day(fleet, hours)
    require_day(fleet, list(whole.rglob("*.parquet")))


def require_day(fleet: Fleet, paths: list[Path]) -> None:
    """The files hold every point of the day, once."""
    stored = [pq.read_table(path).to_pandas() for path in paths]
    day = fleet.points[fleet.points["_time"] < pd.Timestamp("2025-03-09", tz="UTC")]
    for field in FIELDS:
        found = [
            (row["_time"].value, row["device_id"], row["_value"])
            for frame in stored
            for row in frame[frame["_field"] == field].to_dict("records")
        ]
        rows = day.dropna(subset=[field])
        expected = zip(rows["_time"].astype("int64"), rows["device_id"], rows[field], strict=True)
        assert len(found) == len(rows) > 100
        assert sorted(found) == sorted(expected)


def test_old_days_are_purged_when_archive_and_rollup_hold_them(
    place: InfluxAddress, fleet: Fleet, run_example: RunExample, tmp_path: Path
) -> None:
    load(place, "raw_telemetry", fleet_lines(fleet))
    place.fresh_buckets("rollup_hourly")
    # the day of the run itself, without waiting for a month
    variables = {
        "AIRFLOW_VAR_TELEMETRY_ARCHIVE": str(tmp_path),
        "AIRFLOW_VAR_TELEMETRY_QUIET_FOR": "0s",
        "AIRFLOW_VAR_TELEMETRY_PURGE_DELAY": "0s",
    }
    start, stop = "2025-03-08T00:00:00Z", "2025-03-09T00:00:00Z"
    before = oracle.count_points(place.url, place.org, place.token, "raw_telemetry", start, stop)
    run_example("archive_and_purge", "2025-03-09T00:00:00+00:00", **variables)
    assert before > 0
    assert oracle.count_points(place.url, place.org, place.token, "raw_telemetry", start, stop) == 0
    (manifest,) = tmp_path.rglob("manifest.json")
    rows = sum(pq.read_metadata(path).num_rows for path in manifest.parent.glob("*.parquet"))
    assert rows == before
    assert len(list(tmp_path.rglob("certificates/00000001.json"))) == 1


def test_customer_is_erased_when_the_example_is_triggered_with_the_name(
    place: InfluxAddress, fleet: Fleet, run_example: RunExample, tmp_path: Path
) -> None:
    load(place, "raw_telemetry", fleet_lines(fleet))
    variables = {"AIRFLOW_VAR_TELEMETRY_ARCHIVE": str(tmp_path)}
    run_example("archive_windows", "2025-03-09T00:00:00+00:00", **variables)
    sites = sorted(set(fleet.points["site"]))
    conf = json.dumps({"customer": sites[0], "confirm": "raw_telemetry"})
    run_example("erase_customer", "2025-03-09T00:00:00+00:00", conf=conf, **variables)
    flux = f"""from(bucket: "raw_telemetry") |> range(start: {ALWAYS[0]}, stop: {ALWAYS[1]})
        |> count() |> group(columns: ["site"]) |> sum()"""
    left = {row["site"] for row in oracle.query(place.url, place.org, place.token, flux)}
    assert left == set(sites[1:]) != set()
    stored = [pq.read_table(path)["site"].to_pylist() for path in tmp_path.rglob("*.parquet")]
    assert {site for some in stored for site in some} == left
    assert len(list(tmp_path.rglob("certificates/00000001.json"))) == 1
