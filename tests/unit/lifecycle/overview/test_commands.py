from __future__ import annotations

import shlex
from datetime import UTC, datetime

import pytest

from airflow_provider_influx_rollup.lifecycle.overview.commands import commands_for
from airflow_provider_influx_rollup.lifecycle.overview.scheduled import Scheduled
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.windows.interval import Interval

DAY = Interval(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
SPEC = RollupSpec(
    source_bucket="it's raw; rm -rf /",
    target_bucket="hourly",
    measurement="cpu",
    aggregates=("count",),
    grid=GridSpec("1h"),
)


@pytest.mark.parametrize("is_three", [True, False])
def test_a_shell_reads_the_names_as_they_are_when_they_have_quotes(is_three: bool) -> None:
    commands = commands_for(SPEC, DAY, "my conn", Scheduled("my dag", None), is_three=is_three)
    assert [one["name"] for one in commands] == ["plan", "backfill", "verify", "reconcile"]
    for one in commands:
        words = shlex.split(one["text"])
        assert ("my dag" if one["name"] == "backfill" else SPEC.pipeline_name) in words
        assert ";" not in words
    assert shlex.split(commands[0]["text"])[-4:] == [
        "--conn-id",
        "my conn",
        "--ledger-bucket",
        "rollup_ledger",
    ]


def test_the_last_run_is_inside_when_airflow_counts_both_ends() -> None:
    texts = [
        commands_for(SPEC, DAY, "c", Scheduled("d", None), is_three=three)[1]["text"]
        for three in (True, False)
    ]
    assert "--from-date 2026-03-01T00:00:00Z --to-date 2026-03-01T23:59:59Z" in texts[0]
    assert "--start-date 2026-03-01T00:00:00Z --end-date 2026-03-01T23:59:59Z" in texts[1]


def test_there_is_no_backfill_when_no_receipt_names_a_dag() -> None:
    assert [one["name"] for one in commands_for(SPEC, DAY, "c", None, is_three=True)] == [
        "plan",
        "verify",
        "reconcile",
    ]
