"""Validation on a real server: each rule finds exactly its faults, and copies each of them once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import BucketNotFound, ConfigurationError, WindowNotDue
from airflow_provider_influx_rollup.lifecycle.spec import RunInfo
from airflow_provider_influx_rollup.lifecycle.validate import validate
from airflow_provider_influx_rollup.lifecycle.validate_spec import ValidateSpec
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.validation.transformations import transformations_of
from airflow_provider_influx_rollup.windows.interval import Interval
from dev import san_francisco
from tests import oracle, validation_scene
from tests.conftest import InfluxServer
from tests.validation_scene import MEASUREMENT, MINUTE_NS, START, Point, Scene

pytestmark = pytest.mark.live

SPAN = Interval(START, START + timedelta(hours=12))
NOW = START + timedelta(days=2)
HOUR = Interval(START, START + timedelta(hours=1))
START_NS = HOUR.start_ns

Bucket = Callable[[], str]

RULES: list[dict[str, Any]] = [
    {
        "rule": "schema",
        "fields": {"temperature": "float", "mode": "integer", **dict.fromkeys(("humidity",), "float")}
        | {"count": "integer", "ok": "boolean", "status": "string", "received": "integer"},
        "tags": ["device_id", "site"],
        "other_fields": False,
    },
    {"rule": "field_type"},
    {"rule": "range", "field": "temperature", "low": -40, "high": 85},
    {"rule": "allowed_values", "field": "status", "values": list(validation_scene.STATUSES)},
    {"rule": "pattern", "field": "status", "pattern": "[^\\t]{0,40}"},
    {"rule": "finite", "field": "*"},
    {"rule": "missing_field", "field": "humidity"},
    {"rule": "stuck", "field": "humidity", "points": 25},
    {"rule": "spike", "field": "temperature", "max_change": 12, "per": "1m"},
    {"rule": "spike", "field": "humidity", "max_change": 50, "per": "1m"},
    {"rule": "monotonic", "field": "count"},
    {"rule": "late_points", "field": "received", "max_delay": "5m", "tolerance": 0.01},
    {"rule": "allowed_tag_values", "tag": "site", "values": list(validation_scene.SITES)},
    {"rule": "tag_pattern", "tag": "device_id", "pattern": "device-[0-9]{3}|Ger.*"},
    {"rule": "duplicate_series"},
    {"rule": "future", "max_ahead": "1h"},
    {"rule": "cadence", "every": "1m", "field": "temperature", "min_share": 0.95},
    {"rule": "freshness", "max_age": "30m"},
    {"rule": "cardinality", "max_series": 9},
    {"rule": "volume", "weeks": 2, "field": "temperature"},
]


def run(client: InfluxClient, spec: ValidateSpec, interval: Interval, now: datetime = NOW) -> dict[str, Any]:
    steps = validate(spec, interval, RunInfo("dag", "task", "run"), lambda: now)
    return drive(steps, client, lambda _report: None)


def by_rule(result: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["rule"]: one for one in result["rules"]}


def stored(
    influx: InfluxServer,
    bucket: str,
    measurement: str,
    bounds: tuple[str, ...] = ("1970-01-01T00:00:00Z", "2262-01-01T00:00:00Z"),
) -> pd.DataFrame:
    parts = [
        oracle.read_target(influx.url, influx.org, influx.token, bucket, measurement, *pair)
        for pair in pairwise(bounds)
    ]
    return pd.concat(parts, ignore_index=True)


def quarantined(influx: InfluxServer, bucket: str, measurement: str = MEASUREMENT) -> dict[str, set[Point]]:
    """Field, tags and time of each copy, by rule; a copy that is there twice fails."""
    table = stored(
        influx, bucket, measurement, ("1970-01-01T00:00:00Z", "2025-03-10T00:00:00Z", "2262-01-01T00:00:00Z")
    )
    found: dict[str, set[Point]] = {}
    tag_keys = [
        name
        for name in table
        if name not in {"_time", "_field", "_value", "type", "violated_rule", "validation"}
    ]
    for row in table.to_dict("records"):
        tags = tuple((key, row[key]) for key in sorted(tag_keys) if isinstance(row[key], str) and row[key])
        point = (row["_field"], tags, row["_time"])
        assert point not in found.setdefault(row["violated_rule"], set())
        found[row["violated_rule"]].add(point)
    return found


@pytest.fixture(scope="module")
def scene() -> Scene:
    return validation_scene.make_scene()


def expected_of(scene: Scene) -> dict[str, set[Point]]:
    table = scene.points
    future = {
        ("temperature", (("device_id", "device-002"), ("firmware", "1.9"), ("site", "são paulo")), FUTURE_NS)
    }
    types = scene.planted["type"]
    no_site = validation_scene.where_tags(table, lambda tags: "site" not in tags)
    device = validation_scene.where_tags
    return {
        "schema": types | no_site | validation_scene.points_of(table[table["field"] == "debug"]),
        "field_type:*": types,
        "range:temperature": validation_scene.outside(table, "temperature", -40, 85),
        "allowed_values:status": validation_scene.not_in(table, "status", validation_scene.STATUSES),
        "pattern:status": validation_scene.points_of(
            table[(table["field"] == "status") & table["value"].astype(str).str.contains("\t|x{300}")]
        ),
        "finite:*": validation_scene.points_of(
            table[(table["kind"] == "string") & table["value"].isin(["nan", "-Inf "])]
        ),
        "missing_field:humidity": validation_scene.lacking(table, "humidity"),
        "stuck:humidity": validation_scene.stuck(table, "humidity", 25),
        "spike:temperature": validation_scene.jumps(table, "temperature", 12, MINUTE_NS),
        "spike:humidity": validation_scene.jumps(table, "humidity", 50, MINUTE_NS),
        "monotonic:count": validation_scene.falls(table, "count"),
        "late_points:received": scene.planted["late"],
        "allowed_tag_values:site": no_site,
        "tag_pattern:device_id": device(table, lambda tags: tags["device_id"][0] in "Dt"),
        "duplicate_series": scene.planted["twin"],
        "future": future,
    }


FUTURE_NS = START_NS + 3 * 86_400 * 10**9


def future_line(ns: int = FUTURE_NS) -> str:
    return f"{MEASUREMENT},device_id=device-002,firmware=1.9,site=são\\ paulo temperature=20 {ns}"


def differences(found: Mapping[str, set[Point]], expected: Mapping[str, set[Point]]) -> dict[str, Any]:
    """What is missing and what is too much, by rule."""
    return {
        rule: {
            "missing": expected.get(rule, set()) - found.get(rule, set()),
            "too much": found.get(rule, set()) - expected.get(rule, set()),
        }
        for rule in found.keys() | expected.keys()
        if found.get(rule, set()) != expected.get(rule, set())
    }


def test_each_rule_finds_exactly_its_faults_when_they_are_planted(
    client: InfluxClient, influx: InfluxServer, bucket_factory: Bucket, scene: Scene
) -> None:
    bucket, quarantine, ledger = bucket_factory(), bucket_factory(), bucket_factory()
    client.write_lines(bucket, [*scene.lines(), future_line()])
    # a third of a read holds the whole: what a rule remembers of a series passes from part to part
    spec = ValidateSpec(
        bucket,
        MEASUREMENT,
        rules_of(RULES),
        quarantine_bucket=quarantine,
        ledger_bucket=ledger,
        max_rows_per_read=8000,
    )
    result = run(client, spec, SPAN)
    expected = {rule: points for rule, points in expected_of(scene).items() if points}
    assert scene.planted["outlier"] <= expected["spike:temperature"]
    assert expected["range:temperature"] == scene.planted["outlier"]
    assert expected["monotonic:count"] == scene.planted["fall"]
    assert expected["allowed_values:status"] == scene.planted["typo"]
    assert expected["spike:humidity"] == scene.planted["nanosecond"]
    assert scene.planted["stuck"] == expected["stuck:humidity"]
    assert differences(quarantined(influx, quarantine), expected) == {}
    told = by_rule(result)
    counted = {rule: one["violations"] for rule, one in told.items() if one["unit"] == "points"}
    assert counted == {
        rule.name: len(expected.get(rule.name, ())) for rule in spec.rules if rule.unit == "points"
    }
    assert all(one["quarantined"] == one["violations"] for one in result["rules"] if one["unit"] == "points")
    assert (told["late_points:received"]["is_violated"], told["late_points:received"]["violations"]) == (
        False,
        11,
    )
    assert result["points"] == len(scene.points)
    assert len(json.dumps(result)) < 20_000
    _judge_series_rules(scene, told)
    assert run(client, spec, SPAN) == result | {"seconds": 0.0}
    assert differences(quarantined(influx, quarantine), expected) == {}
    _check_ledger(influx, ledger, spec, result)


def _judge_series_rules(scene: Scene, told: Mapping[str, Mapping[str, Any]]) -> None:
    table = scene.points
    counts = table[table["field"] == "temperature"].groupby("tags").size()
    wrong = counts[(counts < 0.95 * 720) | (counts > 1.1 * 720)]
    assert told["cadence:temperature"]["violations"] == len(wrong) > 3
    last = table.groupby("tags")["time"].max()
    stale = last[last < SPAN.stop_ns - 30 * MINUTE_NS]
    assert told["freshness"]["violations"] == len(stale) > 3
    assert told["cardinality"]["violations"] == int(table["tags"].nunique() > 9)
    assert told["volume:temperature"]["checked"] == 0


def _check_ledger(influx: InfluxServer, ledger: str, spec: ValidateSpec, result: Mapping[str, Any]) -> None:
    rows = stored(influx, ledger, "validation_results")
    assert set(rows["_time"]) == {SPAN.start_ns}
    violations = rows[rows["_field"] == "violations"].set_index("rule")["_value"].to_dict()
    assert violations == {one["rule"]: one["violations"] for one in result["rules"]}
    assert set(rows["validation"]) == {spec.validation_name}


def test_points_leave_the_quarantine_when_they_are_corrected_or_a_rule_goes(
    client: InfluxClient, influx: InfluxServer, bucket_factory: Bucket
) -> None:
    bucket, quarantine, ledger = bucket_factory(), bucket_factory(), bucket_factory()
    tags = ',d=q"\\ x'
    client.write_lines(
        bucket, [f"m{tags} temp={value},hum=5i {START_NS + n}" for n, value in enumerate((1, 99, 2, 98))]
    )
    rules = rules_of(
        [{"rule": "range", "field": "temp", "high": 50}, {"rule": "range", "field": "hum", "low": 9}]
    )
    spec = ValidateSpec(bucket, "m", rules, quarantine_bucket=quarantine, ledger_bucket=ledger)
    other = replace(spec, name="another one")
    for one in (spec, other, spec):
        assert run(client, one, HOUR)["quarantined"] == 2 + 4
    assert len(stored(influx, quarantine, "m")) == 12
    client.write_lines(bucket, [f"m{tags} temp=3 {START_NS + 1}"])
    assert run(client, replace(spec, dry_run=True), HOUR)["violated"] == ["range:temp", "range:hum"]
    assert len(stored(influx, quarantine, "m")) == 12
    result = run(client, replace(spec, rules=rules[:1]), HOUR)
    assert (result["quarantined"], result["violated"]) == (1, ["range:temp"])
    left = stored(influx, quarantine, "m")
    mine = left[left["validation"] == spec.validation_name]
    assert mine[["_time", "_field", "_value", "d"]].to_numpy().tolist() == [
        [START_NS + 3, "temp", 98.0, 'q" x']
    ]
    # the other validation keeps its own
    assert len(left) == 1 + 6
    results = stored(influx, ledger, "validation_results")
    assert set(results.loc[results["validation"] == spec.validation_name, "rule"]) == {"range:temp"}
    client.delete(bucket, HOUR, '_measurement="m"')
    assert run(client, replace(spec, rules=rules[:1]), HOUR)["points"] == 0
    left = stored(influx, quarantine, "m")
    assert set(left["validation"]) == {"another one"}


def test_future_points_stay_in_quarantine_only_while_they_are_there(
    client: InfluxClient, influx: InfluxServer, bucket_factory: Bucket
) -> None:
    bucket, quarantine, ledger = bucket_factory(), bucket_factory(), bucket_factory()
    client.write_lines(bucket, [future_line(), future_line(FUTURE_NS + 10**18), future_line(START_NS)])
    spec = ValidateSpec(
        bucket,
        MEASUREMENT,
        rules_of([{"rule": "future"}]),
        quarantine_bucket=quarantine,
        ledger_bucket=ledger,
        max_rows_per_read=1,
    )
    assert run(client, spec, HOUR)["quarantined"] == 2
    assert run(client, spec, HOUR)["quarantined"] == 2
    assert len(quarantined(influx, quarantine)["future"]) == 2
    # once the clock has passed it, the evidence stays
    later = datetime.fromtimestamp(FUTURE_NS // 10**9, UTC) + timedelta(hours=1)
    assert run(client, spec, Interval(later - timedelta(hours=2), later), later)["quarantined"] == 1
    assert len(quarantined(influx, quarantine)["future"]) == 2
    far = datetime.fromtimestamp((FUTURE_NS + 10**18) // 10**9, UTC)
    client.delete(bucket, Interval(far, far + timedelta(days=1)), f'_measurement="{MEASUREMENT}"')
    assert run(client, spec, HOUR)["quarantined"] == 1
    assert len(quarantined(influx, quarantine)["future"]) == 1


def test_verdict_goes_over_the_border_when_points_came_before_the_interval(
    client: InfluxClient, bucket_factory: Bucket
) -> None:
    bucket, ledger = bucket_factory(), bucket_factory()
    values = {-4: 20, -3: 20, -2: 90, -1: 20, 0: 20, 1: 20, 2: 60, 3: 20}
    lines = [
        f"m,d=1 temp={value},total={value}i {START_NS + minute * MINUTE_NS}"
        for minute, value in values.items()
    ]
    client.write_lines(bucket, lines)
    rules = rules_of(
        [
            {"rule": "spike", "field": "temp", "max_change": 5, "per": "1m"},
            {"rule": "stuck", "field": "temp", "points": 3},
            {"rule": "monotonic", "field": "total"},
        ]
    )
    spec = ValidateSpec(bucket, "m", rules, ledger_bucket=ledger)
    found = {rule: one["violations"] for rule, one in by_rule(run(client, spec, HOUR)).items()}
    assert found == {"spike:temp": 1, "stuck:temp": 1, "monotonic:total": 1}
    client.write_lines(bucket, [f"m,d=1 temp=20,total=99i {START_NS - MINUTE_NS}"])
    assert by_rule(run(client, spec, HOUR))["monotonic:total"]["violations"] == 2
    alone = by_rule(run(client, replace(spec, warm_up="0s"), HOUR))
    assert (alone["monotonic:total"]["violations"], alone["stuck:temp"]["violations"]) == (1, 0)


def test_range_is_judged_without_reading_points_when_it_holds(
    client: InfluxClient, bucket_factory: Bucket
) -> None:
    bucket, ledger = bucket_factory(), bucket_factory()
    client.write_lines(bucket, [f"m,d=1 temp={n},big={2**53 + n}i {START_NS + n}" for n in range(100)])
    spec = ValidateSpec(
        bucket, "m", rules_of([{"rule": "range", "field": "*", "low": 0}]), ledger_bucket=ledger
    )
    held = run(client, spec, HOUR)
    assert (held["state"], held["points_read"], by_rule(held)["range:*"]["checked"]) == ("ok", 0, 200)
    exact = rules_of([{"rule": "range", "field": "*", "high": 2**53 + 98}])
    broken = run(client, replace(spec, rules=exact), HOUR)
    assert (broken["points_read"], by_rule(broken)["range:*"]["violations"]) == (100, 1)
    assert by_rule(broken)["range:*"]["checked"] == 200


def test_clean_bucket_holds_the_transformed_points_when_some_are_wrong(
    client: InfluxClient, influx: InfluxServer, bucket_factory: Bucket
) -> None:
    bucket, clean, ledger = bucket_factory(), bucket_factory(), bucket_factory()
    lines = [
        f"m,Site=Hall\\ A,d=1 t=10,n=1i {START_NS}",
        f'm,Site=hall\\ a,d=1 t=20,s="x" {START_NS + 1}',
        f"m,site=hall\\ a,d=2 t=999 {START_NS + 2}",
        f"m,Site=hall\\ b,d=3 t=30 {START_NS + 3}",
    ]
    client.write_lines(bucket, lines)
    changes = [
        {"transform": "rename_tag", "tag": "Site", "to": "site"},
        {"transform": "map_tag", "tag": "site", "case": "lower", "values_to": {"hall a": "A"}},
        {"transform": "rename_field", "field": "t", "to": "temp_f"},
        {"transform": "scale_field", "field": "temp_f", "factor": 1.8, "offset": 32},
    ]
    rules = rules_of([{"rule": "range", "field": "t", "high": 85}])
    spec = ValidateSpec(
        bucket,
        "m",
        rules,
        clean_bucket=clean,
        transformations=transformations_of(changes),
        ledger_bucket=ledger,
    )

    def rows() -> list[tuple[Any, ...]]:
        table = stored(influx, clean, "m")
        return sorted(
            zip(
                table["_time"] - START_NS,
                table["d"],
                table["site"],
                table["_field"],
                table["_value"],
                strict=True,
            )
        )

    right = [
        (0, "1", "A", "n", 1),
        (0, "1", "A", "temp_f", 50.0),
        (1, "1", "A", "s", "x"),
        (1, "1", "A", "temp_f", 68.0),
        (3, "3", "hall b", "temp_f", 86.0),
    ]
    for _ in range(2):
        assert run(client, spec, HOUR)["clean"] == {"written": 5, "lost": 0, "merged": 0}
        assert rows() == right
    # a point goes, one comes back, and a stranger's series of the same measurement is none of ours
    client.delete(bucket, HOUR, '_measurement="m" AND d="3"')
    client.write_lines(bucket, [f"m,site=hall\\ a,d=2 t=0 {START_NS + 2}"])
    assert run(client, spec, HOUR)["clean"]["written"] == 5
    assert rows() == [*right[:4], (2, "2", "A", "temp_f", 32.0)]
    filtered = replace(spec, tags={"Site": ("hall b",)}, name="only b")
    assert run(client, filtered, HOUR)["clean"]["written"] == 0
    assert len(rows()) == 5


def test_texts_and_types_get_right_verdicts_when_they_are_odd(
    client: InfluxClient, influx: InfluxServer, bucket_factory: Bucket
) -> None:
    bucket, quarantine, ledger = bucket_factory(), bucket_factory(), bucket_factory()
    client.write_lines(
        bucket,
        [
            f'm,d=a x="NaN",b=true {START_NS}',
            f'm,d=a x="",b=false {START_NS + 1}',
            f'm,d=a x="two\nlines" {START_NS + 2}',
            f"m n=5i {START_NS}",
        ],
    )
    # line protocol cannot hold a tag with a line break, but to() can write one
    client.query(
        f"""import "array"
array.from(rows: [{{_time: {START:%Y-%m-%dT%H:%M:%SZ}, _measurement: "m", d: "a\\nb", _field: "y", _value: 1.0}}])
  |> group(columns: ["_measurement", "d"]) |> to(bucket: "{bucket}")"""
    )
    rules = rules_of(
        [
            {"rule": "finite", "field": "*"},
            {"rule": "range", "field": "*", "low": 2},
            {"rule": "missing_field", "field": "x"},
            {"rule": "pattern", "field": "x", "pattern": "[A-Za-z \\n]+"},
        ]
    )
    result = run(
        client, ValidateSpec(bucket, "m", rules, quarantine_bucket=quarantine, ledger_bucket=ledger), HOUR
    )
    violations = {rule: one["violations"] for rule, one in by_rule(result).items()}
    # b twice and x three times are no numbers, y is too small; x is empty once with b beside it, and lacks beside n and y
    assert violations == {"finite:*": 1, "range:*": 6, "missing_field:x": 4, "pattern:x": 1}
    assert result["quarantined"] == 12 - 2
    assert any("2 values are not in the quarantine" in note for note in result["notes"])
    texts = stored(influx, quarantine, "m").query("violated_rule == 'range:*' and _field == 'x'")["_value"]
    # CSV answers have their own line breaks
    assert sorted(text.replace("\r\n", "\n") for text in texts) == ["", "NaN", "two\nlines"]


def test_faults_are_found_on_real_temperatures_when_some_are_changed(
    client: InfluxClient, influx: InfluxServer, bucket_factory: Bucket
) -> None:
    bucket, quarantine, ledger = bucket_factory(), bucket_factory(), bucket_factory()
    points = san_francisco.load_points()[:2200].copy()
    name = san_francisco.FIELD
    real = points[name].copy()
    points.loc[[400, 2000], name] = [180.0, -90.0]
    points.loc[1000:1012, name] = 51.5
    client.write_lines(bucket, san_francisco.encode_lines(points))
    rules = [
        {"rule": "range", "field": name, "low": 20, "high": 110},
        {"rule": "spike", "field": name, "max_change": 20, "per": "1h"},
        {"rule": "stuck", "field": name, "points": 10},
        {"rule": "cadence", "every": "1h", "min_share": 0.99},
        {
            "rule": "schema",
            "fields": {name: "float"},
            "tags": ["city"],
            "other_fields": False,
            "other_tags": False,
        },
    ]
    start = points["_time"].iloc[0].to_pydatetime()
    whole = Interval(start, start + timedelta(hours=2200))
    spec = ValidateSpec(
        bucket,
        san_francisco.MEASUREMENT,
        rules_of(rules),
        quarantine_bucket=quarantine,
        ledger_bucket=ledger,
        max_rows_per_read=500,
    )
    result = run(client, spec, whole, datetime(2025, 1, 1, tzinfo=UTC))
    tags = (("city", san_francisco.CITY),)
    times = points["_time"].astype("int64")
    expected = {
        f"range:{name}": {(name, tags, times[row]) for row in (400, 2000)},
        f"spike:{name}": {(name, tags, times[row]) for row in (400, 2000)},
        f"stuck:{name}": {(name, tags, times[row]) for row in range(1009, 1013)},
    }
    assert real.between(20, 110).all()
    assert real.diff().abs().max() <= 20
    assert differences(quarantined(influx, quarantine, san_francisco.MEASUREMENT), expected) == {}
    assert result["violated"] == [f"range:{name}", f"spike:{name}", f"stuck:{name}"]
    assert result["points"] == len(points)


def test_nothing_is_written_when_the_validation_cannot_begin(
    client: InfluxClient, bucket_factory: Bucket
) -> None:
    bucket, quarantine = bucket_factory(), bucket_factory()
    rules = rules_of([{"rule": "future"}])
    with pytest.raises(BucketNotFound):
        run(client, ValidateSpec("no such bucket", "m", rules, ledger_bucket="never made"), HOUR)
    client.write_lines(bucket, [f"m,violated_rule=x temp=1 {START_NS}"])
    spec = ValidateSpec(bucket, "m", rules, quarantine_bucket=quarantine, ledger_bucket=bucket_factory())
    with pytest.raises(ConfigurationError, match="violated_rule"):
        run(client, spec, HOUR)
    with pytest.raises(WindowNotDue):
        run(client, spec, Interval(NOW, NOW + timedelta(hours=1)))
    assert client.find_bucket("never made") is None
