"""Validation on a real server: each rule finds exactly its faults, and copies each of them once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.windows.interval import Interval
from dev import san_francisco
from tests.conftest import InfluxServer
from tests.scenes import validation_scene
from tests.scenes.validation_runs import (
    FUTURE_NS,
    HOUR,
    START_NS,
    by_rule,
    differences,
    future_line,
    quarantined,
    run,
    stored,
)
from tests.scenes.validation_scene import MEASUREMENT, MINUTE_NS, START, Point, Scene

pytestmark = pytest.mark.live

SPAN = Interval(START, START + timedelta(hours=12))

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


def test_each_rule_finds_exactly_its_faults_when_they_are_planted(
    client: InfluxClient, influx: InfluxServer, bucket_factory: Bucket, scene: Scene
) -> None:
    bucket, quarantine, ledger = bucket_factory(), bucket_factory(), bucket_factory()
    client.write_lines(bucket, [*scene.lines(), future_line()])
    # a third of a read holds the whole: what a rule remembers of a series passes from part to part
    spec = ValidateSpec(
        bucket=bucket,
        measurement=MEASUREMENT,
        rules=rules_of(RULES),
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
        client,
        ValidateSpec(
            bucket=bucket, measurement="m", rules=rules, quarantine_bucket=quarantine, ledger_bucket=ledger
        ),
        HOUR,
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
        bucket=bucket,
        measurement=san_francisco.MEASUREMENT,
        rules=rules_of(rules),
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
