"""The tasks of a lifecycle as Airflow runs them: skipped, deferred, reconciled."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_influx_rollup.airflow_compat import AirflowSkipException, TaskDeferred
from airflow_provider_influx_rollup.exceptions import ConfigurationError, SourceIncomplete
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.task_groups.lifecycle import (
    Archive,
    Lifecycle,
    Tier,
    lifecycle_task_group,
)
from tests import oracle
from tests.scenes.task_scene import fire, make_context, reborn

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

START = datetime(2025, 3, 8, tzinfo=UTC)


@pytest.fixture
def lifecycle(client: Any, bucket_factory: Callable[[str], str]) -> Lifecycle:
    """Six points in three hours, hours over them, and windows of three hours over those."""
    raw, hours, threes = (bucket_factory(name) for name in ("raw", "hours", "threes"))
    nanoseconds = int(START.timestamp()) * 10**9
    lines = [f"m,d=a x={number}i {nanoseconds + number * 1800 * 10**9}" for number in range(6)]
    client.write_lines(raw, lines)
    tiers = [Tier(hours, "1h", ["count", "sum"]), Tier(threes, "3h", ["count", "mean"])]
    return Lifecycle(raw, "m", tiers, reconcile="3h", ledger_bucket=f"ledger_{uuid.uuid4().hex[:8]}")


def tasks_of(lifecycle: Lifecycle, **arguments: Any) -> list[Any]:
    with DAG("tiers", schedule=None, start_date=START) as dag:
        lifecycle_task_group(lifecycle, influx_conn_id="tele", **arguments)
    return [dag.get_task(f"lifecycle.{name}") for name in ("rollup_1h", "rollup_3h", "reconcile")]


def context_of(hour: int) -> dict[str, Any]:
    stop = START + timedelta(hours=hour + 1)
    return make_context(data_interval_start=START + timedelta(hours=hour), data_interval_end=stop)


def at(hour: int) -> int:
    """A moment of an hour that has no other point, in nanoseconds."""
    return int((START + timedelta(hours=hour)).timestamp()) * 10**9 + 1


def threes(influx: Any, lifecycle: Lifecycle) -> dict[str, Any]:
    bucket = lifecycle.tiers[1].bucket
    rows = oracle.read_target(
        influx.url, influx.org, influx.token, bucket, "m", "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"
    )
    return dict(zip(rows["_field"], rows["_value"], strict=True))


def test_longer_tier_is_skipped_until_the_run_that_completes_it(
    influx: Any, client: Any, lifecycle: Lifecycle
) -> None:
    hours, longer, reconcile = tasks_of(lifecycle)
    for hour in (2, 0):
        assert hours.execute(context_of(hour))["windows"] == 1
        with pytest.raises(AirflowSkipException, match="the run that completes them rolls it up"):
            longer.execute(context_of(hour))
    hours.execute(context_of(1))
    assert longer.execute(context_of(1))["window"] == {
        "start": "2025-03-08T00:00:00Z",
        "stop": "2025-03-08T03:00:00Z",
    }
    assert threes(influx, lifecycle) == {"x_count": 6, "x_mean": 2.5}

    # a late point of a finished window reaches both tiers
    client.write_lines(lifecycle.source_bucket, [f"m,d=a x=100i {int(START.timestamp()) * 10**9 + 1}"])
    # of its own, it looks back from now
    reconcile.lookback, reconcile.start, reconcile.stop = None, START, START + timedelta(hours=3)
    reconcile.execute(context_of(2))
    assert threes(influx, lifecycle) == {"x_count": 7, "x_mean": 115 / 7}


def test_longer_tier_is_rolled_up_by_the_run_that_heals_its_last_part(
    influx: Any, lifecycle: Lifecycle
) -> None:
    # shorter than the longer tier's windows
    hours, longer, _ = tasks_of(replace(lifecycle, heal="1h"))
    for hour in (0, 1):
        hours.execute(context_of(hour))
    # the run of the third hour never happened, and the next one has no window of the longer tier itself
    assert hours.execute(context_of(3))["healed"] == 1
    result = longer.execute(context_of(3))
    assert result["window"] == {"start": "2025-03-08T00:00:00Z", "stop": "2025-03-08T03:00:00Z"}
    assert threes(influx, lifecycle) == {"x_count": 6, "x_mean": 2.5}
    # once is enough, and what nobody has completed fails no run
    hours.execute(context_of(4))
    for hour in (4, 7):
        with pytest.raises(AirflowSkipException, match="the run that completes them rolls it up"):
            longer.execute(context_of(hour))


def test_longer_tier_is_rolled_up_before_its_own_window_by_the_run_that_heals_its_last_part(
    client: Any, influx: Any, lifecycle: Lifecycle
) -> None:
    hours, longer, _ = tasks_of(replace(lifecycle, heal="1h"))
    for hour in (0, 1, 2, 3, 4, 5):
        hours.execute(context_of(hour))
    for hour in (2, 5):
        longer.execute(context_of(hour))
    # the third hour is rolled up again and its run ends there; the next one is made again, and its own window is complete
    client.write_lines(lifecycle.source_bucket, [f"m,d=a x=100i {at(2)}", f"m,d=a x=1i {at(3)}"])
    hours.execute(context_of(2))
    hours.execute(context_of(3))
    result = longer.execute(context_of(3))
    assert result["window"] == {"start": "2025-03-08T00:00:00Z", "stop": "2025-03-08T06:00:00Z"}
    rows = oracle.read_target(
        influx.url,
        influx.org,
        influx.token,
        lifecycle.tiers[1].bucket,
        "m",
        "2025-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z",
    )
    counts = rows[rows["_field"] == "x_count"]["_value"].tolist()
    assert counts == [7, 1]


def test_window_is_rolled_up_that_a_lookback_longer_than_a_window_only_reaches_into(
    client: Any, influx: Any, lifecycle: Lifecycle
) -> None:
    client.write_lines(lifecycle.source_bucket, [f"m,d=a x=1i {at(hour)}" for hour in range(3, 9)])
    hours, longer, _ = tasks_of(replace(lifecycle, heal="4h"))
    without_heal, *_ = tasks_of(lifecycle)
    # the run of the third hour never happened; that of the seventh is made again
    for hour in (0, 1, 3, 4, 5, 7, 8):
        without_heal.execute(context_of(hour))
    assert hours.execute(context_of(6))["healed"] == 1
    result = longer.execute(context_of(6))
    assert (result["window"]["stop"], result["healed"]) == ("2025-03-08T09:00:00Z", 1)
    rows = oracle.read_target(
        influx.url,
        influx.org,
        influx.token,
        lifecycle.tiers[1].bucket,
        "m",
        "2025-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z",
    )
    assert rows[rows["_field"] == "x_count"]["_value"].tolist() == [6, 3, 3]


def test_longer_tier_is_skipped_when_what_it_heals_cannot_be_right(influx: Any, lifecycle: Lifecycle) -> None:
    hours, longer, _ = tasks_of(replace(lifecycle, heal="1h"))
    for hour in range(6, 9):
        hours.execute(context_of(hour))
    # no point is in these hours, and in the third of them nobody has rolled up the longer tier
    longer.empty_windows = "fail"
    with pytest.raises(SourceIncomplete):
        longer.execute(context_of(8))
    with pytest.raises(AirflowSkipException, match="the run that completes them rolls it up"):
        longer.execute(context_of(9))


def test_longer_tier_is_deferred_with_its_own_window_when_it_is_complete(
    influx: Any, lifecycle: Lifecycle
) -> None:
    hours, longer, _ = tasks_of(lifecycle, deferrable=True)
    for task, hour in ((hours, 0), (hours, 1), (hours, 2), (longer, 2)):
        context = context_of(hour)
        with pytest.raises(TaskDeferred) as deferred:
            task.execute(context)
        result = task.execute_complete(context, fire(reborn(deferred.value.trigger)))
    assert result["window"] == {"start": "2025-03-08T00:00:00Z", "stop": "2025-03-08T03:00:00Z"}
    assert threes(influx, lifecycle) == {"x_count": 6, "x_mean": 2.5}


def test_archived_windows_may_be_longer_than_the_interval_of_a_run(
    lifecycle: Lifecycle, tmp_path: Path
) -> None:
    declared = replace(lifecycle, archive=Archive(str(tmp_path), every="3h", purge_after="40d"))
    with DAG("tiers", schedule=None, start_date=START) as dag:
        lifecycle_task_group(declared, influx_conn_id="tele")
    archive, purge = (dag.get_task(f"lifecycle.{name}") for name in ("archive", "purge"))
    # none of the archive ends in most runs, and what is old enough is purged all the same
    assert purge.trigger_rule == "none_failed"
    for hour in (0, 1, 3):
        with pytest.raises(AirflowSkipException, match="no window of 3h ends in"):
            archive.execute(context_of(hour))
    result = archive.execute(context_of(2))
    assert result["window"] == {"start": "2025-03-08T00:00:00Z", "stop": "2025-03-08T03:00:00Z"}
    assert (result["windows"], result["rows_out"]) == (1, 6)


def test_task_is_skipped_when_no_window_ends_in_its_interval(lifecycle: Lifecycle) -> None:
    task = FluxRollupOperator(
        task_id="rollup_3h", influx_conn_id="tele", source_bucket=lifecycle.source_bucket,
        target_bucket=lifecycle.tiers[0].bucket, measurement="m", every="3h", aggregates=["count"],
        windows="ending", ledger_bucket=lifecycle.ledger_bucket,
    )  # fmt: skip
    for hour in (0, 1):
        with pytest.raises(AirflowSkipException, match="no window of 3h ends in"):
            task.execute(context_of(hour))
    assert task.execute(context_of(2))["rows_in"] == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"windows": "complete"}, "needs source_tier"),
        ({"source_tier": "x", "group_by": ["d"]}, "group_by is not possible"),
    ],
)
def test_dag_is_refused_when_a_tier_contradicts_itself(changes: dict[str, Any], message: str) -> None:
    given = {
        "source_bucket": "a",
        "target_bucket": "b",
        "measurement": "m",
        "every": "1h",
        "aggregates": ["count"],
    }
    with pytest.raises(ConfigurationError, match=message):
        FluxRollupOperator(task_id="t", **given, **changes)
