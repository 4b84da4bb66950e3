"""Sensor, deadman, validation and scripts tell series by their tags, whatever keys the server has them under."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.completeness.completeness import check_windows
from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
from airflow_provider_influx_rollup.lifecycle.deadman.deadman import check_deadman
from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec
from airflow_provider_influx_rollup.lifecycle.rollup_script.rollup_script import ScriptSpec, roll_up_by_script
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.lifecycle.validate.validate import validate
from airflow_provider_influx_rollup.validation.catalog import rules_of
from tests.conftest import InfluxServer
from tests.scenes.rollup_runs import RUN, Place, interval, make_place, now
from tests.scenes.series_keys import minutes, write_in_order

pytestmark = pytest.mark.live

TAGS = {"host": "a", "site": "x"}
SORTED, TURNED = ("host", "site"), ("site", "host")
HOUR = interval("2025-03-08", "2025-03-08T01:00")
LONG_AFTER = datetime(2025, 3, 9, tzinfo=UTC)


@pytest.fixture
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    place = make_place(influx, client)
    client.ensure_bucket(place.ledger)
    return place


def fill(place: Place, start: str, values: Sequence[Any], order: Sequence[str], step: int = 1) -> None:
    points = minutes(start, [None] * len(values) * step)[::step]
    moved = [(moment, value) for (moment, _), value in zip(points, values, strict=True)]
    write_in_order(place, place.source, order, TAGS, "v", moved)


def judged(place: Place, rules: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    spec = ValidateSpec(
        bucket=place.source,
        measurement=place.measurement,
        rules=rules_of(rules),
        ledger_bucket=place.ledger,
        **more,
    )
    return drive(validate(spec, HOUR, RUN, lambda: LONG_AFTER), place.client, lambda _report: None).as_json()


def test_a_window_is_complete_when_its_points_lie_under_two_keys(place: Place) -> None:
    fill(place, "2025-03-08", range(10), SORTED, step=3)
    spec = CompletenessSpec(
        bucket=place.source,
        measurement=place.measurement,
        every="1h",
        cadence="3m",
        expected=(TAGS,),
        ledger_bucket=place.ledger,
    )
    assert drive(check_windows(spec, HOUR, lambda: LONG_AFTER), place.client, lambda _report: None) is None
    fill(place, "2025-03-08T00:30", range(10), TURNED, step=3)
    found = drive(check_windows(spec, HOUR, lambda: LONG_AFTER), place.client, lambda _report: None).as_json()
    assert found is not None
    assert (found["completeness"], found["series"], found["rows"]) == (1.0, 1, 20)


def test_a_series_is_alive_when_one_of_its_keys_has_points(place: Place) -> None:
    fill(place, "2025-03-07T23:00", range(3), SORTED)
    fill(place, "2025-03-08T00:10", range(3), TURNED)
    spec = DeadmanSpec(bucket=place.source, measurement=place.measurement, status_bucket=place.target)
    result = drive(check_deadman(spec, HOUR), place.client, lambda _report: None).as_json()
    assert (result["expected"], result["dead_count"]) == (1, 0)
    assert result["statuses_written"] == 1


def test_rules_count_a_tag_set_once_when_it_has_two_keys(place: Place) -> None:
    fill(place, "2025-03-08", range(10), SORTED, step=3)
    fill(place, "2025-03-08T00:30", range(10), TURNED, step=3)
    rules = [
        {"rule": "cadence", "every": "3m"},
        {"rule": "duplicate_series"},
        {"rule": "cardinality", "max_series": 1},
    ]
    assert judged(place, rules)["violated"] == []


def test_a_run_of_equal_values_is_found_when_it_alternates_between_two_keys(place: Place) -> None:
    fill(place, "2025-03-08", [5, 5, 5], SORTED, step=2)
    fill(place, "2025-03-08T00:01", [5, 5, 6], TURNED, step=2)
    rule = {"rule": "stuck", "field": "v", "points": 5}
    assert judged(place, [rule])["violated"] == ["stuck:v"]
    assert judged(place, [rule | {"points": 6}])["violated"] == []


def test_no_run_is_seen_when_points_before_the_interval_lie_under_two_keys(place: Place) -> None:
    """Of each key only the last points are read: between those of one there are more of the other."""
    fill(place, "2025-03-07T23:00", [7, 7], TURNED)
    fill(place, "2025-03-07T23:10", [8, 8, 8, 7, 7], SORTED)
    fill(place, "2025-03-08T00:00", [7], SORTED)
    assert judged(place, [{"rule": "stuck", "field": "v", "points": 4}])["violated"] == []
    assert judged(place, [{"rule": "stuck", "field": "v", "points": 3}])["violated"] == ["stuck:v"]


@pytest.mark.parametrize(
    "order", [(SORTED, TURNED), (TURNED, SORTED)], ids=["smaller first", "greater first"]
)
def test_one_of_two_points_of_a_time_is_copied_and_told_when_they_have_two_keys(
    place: Place, order: Sequence[Sequence[str]]
) -> None:
    fill(place, "2025-03-08", [1, 2, 30], order[0])
    fill(place, "2025-03-08", [4, 5, 60], order[1])
    clean, aside = f"{place.target}_clean", f"{place.target}_aside"
    for bucket in (clean, aside):
        place.client.ensure_bucket(bucket)
    rules = [{"rule": "range", "field": "v", "high": 10}]
    for _ in range(2):
        result = judged(place, rules, clean_bucket=clean, quarantine_bucket=aside)
        assert result["clean"] == {"written": 2, "lost": 0, "merged": 2}
        assert place.stored(bucket=clean)["_value"].tolist() == [1, 2]
        assert place.stored(bucket=aside)["_value"].tolist() == [30]


def test_stale_clean_points_under_another_key_go_when_the_interval_is_validated(place: Place) -> None:
    fill(place, "2025-03-08", [1, 2], SORTED)
    clean = f"{place.target}_clean"
    place.client.ensure_bucket(clean)
    write_in_order(place, clean, TURNED, TAGS, "v", minutes("2025-03-08", [9, 9, 9]))
    judged(place, [{"rule": "range", "field": "v", "high": 10}], clean_bucket=clean)
    assert place.stored(bucket=clean)["_value"].tolist() == [1, 2]


def test_what_a_script_wrote_is_found_when_the_order_of_its_tags_is_turned(place: Place) -> None:
    fill(place, "2025-03-08", [1.0, 2.0], SORTED)
    script = f"""from(bucket: "{place.source}")
        |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
        |> aggregateWindow(every: 1h, fn: sum, createEmpty: false, timeSrc: "_start")
        |> duplicate(column: "host", as: "last")
        |> drop(columns: ["host"])
        |> rename(columns: {{last: "host"}})
        |> to(bucket: "{place.target}", tagColumns: ["site", "host"])"""
    spec = ScriptSpec(
        script=script, target_bucket=place.target, grid=GridSpec("1h"), ledger_bucket=place.ledger
    )
    told: list[str] = []

    def run() -> Any:
        steps = roll_up_by_script(spec, HOUR, RUN, now)
        return drive(steps, place.client, lambda report: told.append(report.message)).as_json()

    assert (run()["rows_out"], run()["state"]) == (1, "COMMITTED")
    assert not [text for text in told if "several values" in text]
    write_in_order(place, place.target, SORTED, TAGS, "v", [(pd.Timestamp("2025-03-08", tz="UTC"), 7.0)])
    assert run()["state"] == "COMMITTED"
    assert [text for text in told if "1 of the points that the script wrote" in text]
    assert sorted(place.stored()["_value"]) == [3.0, 7.0]
