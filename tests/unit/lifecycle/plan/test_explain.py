"""What is told of a lifecycle without a server."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle, Tier
from airflow_provider_influx_rollup.lifecycle.plan.explain import explain_rollups, last_window
from airflow_provider_influx_rollup.windows.grid import Grid

NOW = datetime(2025, 3, 31, 10, 17, tzinfo=UTC)
PARTS = ["count", "sum", "max"]


def lifecycle(**changes: object) -> Lifecycle:
    tiers = [
        Tier("fives", "5m", PARTS),
        Tier("hours", "1h", name="hours"),
        Tier("days", "1d", ["count", "mean"], timezone="Europe/Berlin"),
    ]
    return Lifecycle("raw", **({"measurement": "cpu", "tiers": tiers} | changes))


def test_each_tier_tells_its_last_window_and_the_windows_below_it() -> None:
    fives, hours, days = explain_rollups(lifecycle(), NOW)
    assert str(fives.window) == "[2025-03-31T10:10:00Z, 2025-03-31T10:15:00Z)"
    assert str(hours.window) == "[2025-03-31T09:00:00Z, 2025-03-31T10:00:00Z)"
    # the day of the change to summer time
    assert str(days.window) == "[2025-03-29T23:00:00Z, 2025-03-30T22:00:00Z)"
    assert (fives.cells, hours.cells, days.cells) == (0, 12, 23)


def test_globs_stand_for_fields_when_no_server_was_asked() -> None:
    fives, hours, days = explain_rollups(lifecycle(), NOW)
    assert (fives.assumed, hours.assumed) == (("*",), ())
    assert fives.columns == ("*_count", "*_sum", "*_max")
    assert days.columns == ("*_count", "*_mean")
    assert [script.count("aggregateWindow") for script in fives.scripts] == [3]
    assert 'from(bucket: "hours")' in days.scripts[0]


def test_named_fields_are_told_as_they_are() -> None:
    (fives, *_) = explain_rollups(lifecycle(fields=["usage_idle"]), NOW)
    assert fives.assumed == ()
    assert '(r) => r["_field"] == "usage_idle"' in fives.scripts[0]


def test_fields_of_the_server_are_told_with_what_their_types_allow() -> None:
    types = {"usage": "float", "state": "string"}
    (fives, *_) = explain_rollups(lifecycle(), NOW, types)
    assert fives.columns == ("state_count", "usage_count", "usage_sum", "usage_max")
    assert fives.assumed == ()


def test_script_of_the_task_is_told_when_tasks_compute_the_first_tier() -> None:
    tiers = [Tier("fives", "5m", PARTS, execution="native"), Tier("hours", "1h")]
    fives, hours = explain_rollups(lifecycle(tiers=tiers, fields=["usage"]), NOW)
    (script,) = fives.scripts
    assert script.startswith('option task = {name: "influx-rollup computes raw/cpu->fives@5m"')
    assert script.count('to(bucket: "rollup_ledger")') == len(PARTS)
    assert (fives.is_native, hours.is_native) == (True, False)
    assert "option task" not in hours.scripts[0]


def test_flux_of_raw_aggregates_is_a_query_when_influxdb_computes_them() -> None:
    tiers = [Tier("fives", "5m", ["count", "p99"], compute="server")]
    (fives,) = explain_rollups(lifecycle(tiers=tiers, fields=["usage"]), NOW)
    assert "quantile" in fives.scripts[0]
    assert "to(" not in fives.scripts[0]
    assert fives.in_worker == ()


def test_what_influxdb_does_not_compute_is_told_to_be_read() -> None:
    (only,) = explain_rollups(lifecycle(tiers=[Tier("fives", "5m", {"usage": ["p99"]})]), NOW)
    assert (only.in_worker, only.scripts, only.columns) == (("usage",), (), ("usage_p99",))


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        ("1mo", "[2025-02-01T00:00:00Z, 2025-03-01T00:00:00Z)"),
        ("1y", "[2024-01-01T00:00:00Z, 2025-01-01T00:00:00Z)"),
    ],
)
def test_last_window_is_one_that_has_ended(every: str, expected: str) -> None:
    assert str(last_window(Grid.of(every), NOW)) == expected
