"""What a validation writes on a real server: a quarantine, clean points, results; and what it reads for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import BucketNotFound, ConfigurationError, WindowNotDue
from airflow_provider_influx_rollup.flux.plan import plan_extern, read_plan
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.validation.transformations import transformations_of
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.conftest import InfluxServer
from tests.scenes.validation_runs import (
    FUTURE_NS,
    HOUR,
    NOW,
    START_NS,
    by_rule,
    died,
    future_line,
    quarantined,
    queries_of,
    run,
    stored,
)
from tests.scenes.validation_scene import MEASUREMENT, MINUTE_NS

pytestmark = pytest.mark.live

Bucket = Callable[[], str]


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
    spec = ValidateSpec(
        bucket=bucket, measurement="m", rules=rules, quarantine_bucket=quarantine, ledger_bucket=ledger
    )
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


@pytest.mark.recorded
def test_future_points_stay_in_quarantine_only_while_they_are_there(
    client: InfluxClient, influx: InfluxServer, bucket_factory: Bucket
) -> None:
    bucket, quarantine, ledger = bucket_factory(), bucket_factory(), bucket_factory()
    client.write_lines(bucket, [future_line(), future_line(FUTURE_NS + 10**18), future_line(START_NS)])
    spec = ValidateSpec(
        bucket=bucket,
        measurement=MEASUREMENT,
        rules=rules_of([{"rule": "future"}]),
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


@pytest.mark.recorded
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
    spec = ValidateSpec(bucket=bucket, measurement="m", rules=rules, ledger_bucket=ledger)
    found = {rule: one["violations"] for rule, one in by_rule(run(client, spec, HOUR)).items()}
    assert found == {"spike:temp": 1, "stuck:temp": 1, "monotonic:total": 1}
    client.write_lines(bucket, [f"m,d=1 temp=20,total=99i {START_NS - MINUTE_NS}"])
    assert by_rule(run(client, spec, HOUR))["monotonic:total"]["violations"] == 2
    alone = by_rule(run(client, replace(spec, warm_up="0s"), HOUR))
    assert (alone["monotonic:total"]["violations"], alone["stuck:temp"]["violations"]) == (1, 0)


@pytest.mark.recorded
def test_silent_series_are_found_when_any_inventory_names_them(
    client: InfluxClient, bucket_factory: Bucket
) -> None:
    bucket, ledger = bucket_factory(), bucket_factory()
    before = [f"m,d={name},site=x temp=1 {START_NS - MINUTE_NS}" for name in "abc"]
    client.write_lines(bucket, [*before, f"m,d=a,site=x temp=1 {START_NS}"])
    query = f"""from(bucket: "{bucket}") |> range(start: -2h, stop: v.timeRangeStart)
  |> last() |> filter(fn: (r) => r.d != params.left_out) |> keep(columns: ["d"])"""
    forms: list[dict[str, Any]] = [
        {"retired": [{"d": "c"}]},
        {"series": [{"d": "a"}, {"d": "b"}], "group_by": ["d"]},
        {"series": {"flux": query, "params": {"left_out": "c"}}},
    ]
    rules = rules_of([{"rule": "expected_series", "name": str(n), **form} for n, form in enumerate(forms)])
    spec = ValidateSpec(bucket=bucket, measurement="m", rules=rules, ledger_bucket=ledger)
    for one in run(client, spec, HOUR)["rules"]:
        assert (one["checked"], one["violations"]) == (2, 1)
        assert "d=b" in one["examples"][0]["message"]


def test_range_is_judged_without_reading_points_when_it_holds(
    client: InfluxClient, bucket_factory: Bucket
) -> None:
    bucket, ledger = bucket_factory(), bucket_factory()
    client.write_lines(bucket, [f"m,d=1 temp={n},big={2**53 + n}i {START_NS + n}" for n in range(100)])
    spec = ValidateSpec(
        bucket=bucket,
        measurement="m",
        rules=rules_of([{"rule": "range", "field": "*", "low": 0}]),
        ledger_bucket=ledger,
    )
    held = run(client, spec, HOUR)
    assert (held["state"], held["points_read"], by_rule(held)["range:*"]["checked"]) == ("ok", 0, 200)
    exact = rules_of([{"rule": "range", "field": "*", "high": 2**53 + 98}])
    broken = run(client, replace(spec, rules=exact), HOUR)
    assert (broken["points_read"], by_rule(broken)["range:*"]["violations"]) == (100, 1)
    assert by_rule(broken)["range:*"]["checked"] == 200


@pytest.mark.recorded
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
        bucket=bucket,
        measurement="m",
        rules=rules,
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


@pytest.mark.recorded
def test_nothing_is_written_when_the_validation_cannot_begin(
    client: InfluxClient, bucket_factory: Bucket
) -> None:
    bucket, quarantine = bucket_factory(), bucket_factory()
    rules = rules_of([{"rule": "future"}])
    with pytest.raises(BucketNotFound):
        run(
            client,
            ValidateSpec(bucket="no such bucket", measurement="m", rules=rules, ledger_bucket="never made"),
            HOUR,
        )
    client.write_lines(bucket, [f"m,violated_rule=x temp=1 {START_NS}"])
    spec = ValidateSpec(
        bucket=bucket,
        measurement="m",
        rules=rules,
        quarantine_bucket=quarantine,
        ledger_bucket=bucket_factory(),
    )
    with pytest.raises(ConfigurationError, match="violated_rule"):
        run(client, spec, HOUR)
    with pytest.raises(WindowNotDue):
        run(client, spec, Interval(NOW, NOW + timedelta(hours=1)))
    assert client.find_bucket("never made") is None


def test_rerun_ends_as_one_run_when_a_run_died_after_any_write(
    client: InfluxClient, influx: InfluxServer, bucket_factory: Bucket
) -> None:
    bucket, quarantine, clean, ledger = (bucket_factory() for _ in range(4))
    spec = ValidateSpec(
        bucket=bucket,
        measurement="m",
        rules=rules_of(
            [{"rule": "range", "field": "temp", "high": 50}, {"rule": "stuck", "field": "temp", "points": 2}]
        ),
        quarantine_bucket=quarantine,
        clean_bucket=clean,
        ledger_bucket=ledger,
    )
    values = [1.0, 99.0, 2.0, 2.0]

    def places(name: str) -> list[tuple[Any, ...]]:
        table = stored(influx, name, "m")
        rules = table["violated_rule"] if "violated_rule" in table else [""] * len(table)
        return sorted(zip(rules, table["_time"] - START_NS, table["_value"], strict=True))

    step = 0
    has_died = True
    while has_died:
        # each time other points are wrong, so that each run has something to write and something to remove
        values = values[1:] + values[:1]
        client.write_lines(bucket, [f"m,d=1 temp={value} {START_NS + n}" for n, value in enumerate(values)])
        has_died = died(client, spec, HOUR, after=step)
        run(client, spec, HOUR)
        bad = {("range:temp", n) for n, value in enumerate(values) if value > 50}
        bad |= {("stuck:temp", n) for n in range(1, 4) if values[n] == values[n - 1]}
        assert places(quarantine) == sorted((rule, n, values[n]) for rule, n in bad), step
        wrong = {n for _, n in bad}
        assert places(clean) == [("", n, values[n]) for n in range(4) if n not in wrong], step
        step += 1
    assert step > 6


@pytest.mark.recorded
def test_points_leave_influxdb_in_one_shared_read_when_many_rules_ask(
    client: InfluxClient, bucket_factory: Bucket
) -> None:
    bucket, ledger = bucket_factory(), bucket_factory()
    client.write_lines(bucket, [f'm,d=1 temp={n},hum=5i,s="x" {START_NS + n}' for n in range(5)])
    point_rules: list[dict[str, Any]] = [
        {"rule": "spike", "field": "temp", "max_change": 5, "per": "1s"},
        {"rule": "stuck", "field": "temp", "points": 3},
        {"rule": "range", "field": "*", "low": 0, "where": {"d": "1"}},
        {"rule": "pattern", "field": "s", "pattern": "x"},
    ]
    counted: list[dict[str, Any]] = [
        {"rule": "schema", "tags": ["d"]},
        {"rule": "field_type", "lookback": "30d"},
        {"rule": "range", "name": "held", "field": "hum", "low": 0},
        {"rule": "volume", "weeks": 2},
        {"rule": "freshness", "max_age": "2h"},
        {"rule": "cardinality", "max_growth": 1},
        {"rule": "cadence", "every": "1m"},
        {"rule": "future"},
        {"rule": "duplicate_series"},
    ]

    def raw_reads(rules: list[dict[str, Any]]) -> list[int]:
        spec = ValidateSpec(
            bucket=bucket, measurement="m", rules=rules_of(rules), warm_up="0s", ledger_bucket=ledger
        )
        sent = [flux for flux in queries_of(client, spec, HOUR) if f'from(bucket: "{bucket}")' in flux]
        plans = [read_plan(client.query(flux, extern=plan_extern())) for flux in sent]
        return [len(plan.raw_reads) for plan in plans if plan is not None]

    assert set(raw_reads(counted)) == {0}
    assert sorted(raw_reads([*counted, *point_rules]))[-2:] == [0, 1]
