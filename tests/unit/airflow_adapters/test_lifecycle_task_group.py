"""One group of linked rollups from a lifecycle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_influx_rollup.airflow_compat import has_partitions
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.task_groups.lifecycle import (
    Archive,
    Lifecycle,
    Tier,
    Validation,
    lifecycle_task_group,
)

pytestmark = pytest.mark.airflow

PARTS = ["count", "sum"]
THREE = (Tier("five", "5m", PARTS), Tier("hours", "1h"), Tier("days", "1d", ["mean"]))


def dag_of(lifecycle: Lifecycle, schedule: Any = None, **arguments: Any) -> DAG:
    with DAG("tiers", schedule=schedule, start_date=datetime(2025, 1, 1, tzinfo=UTC)) as dag:
        lifecycle_task_group(lifecycle, **arguments)
    return dag


def test_rollups_are_linked_from_the_finest_to_the_coarsest_when_a_group_is_made() -> None:
    lifecycle = Lifecycle("raw", "m", THREE, ledger_bucket="books")
    dag = dag_of(lifecycle, group_id="m", influx_conn_id="mine", retries=4, deferrable=True)
    first, second, third = (dag.get_task(f"m.rollup_{every}") for every in ("5m", "1h", "1d"))
    assert first.downstream_task_ids == {"m.rollup_1h"}
    assert second.downstream_task_ids == {"m.rollup_1d"}
    assert third.downstream_task_ids == set()
    for task, spec in zip((first, second, third), lifecycle.specs(), strict=True):
        assert isinstance(task, FluxRollupOperator)
        [made] = task.specs()
        assert made.as_json() == spec.as_json() | {"max_rows_per_read": made.max_rows_per_read}
        assert (task.influx_conn_id, task.retries, task.deferrable) == ("mine", 4, True)
    assert [task.windows for task in (first, second, third)] == ["ending", "complete", "complete"]


def uris(dag: DAG, task_id: str) -> list[str]:
    return [getattr(outlet, "uri", "an alias") for outlet in dag.get_task(task_id).outlets]


def test_tiers_and_reconcile_have_assets_when_they_are_declared() -> None:
    lifecycle = Lifecycle("raw", "m", THREE, reconcile="1d", assets="windows", archive=Archive("s3://lake/a"))
    dag = dag_of(lifecycle, influx_conn_id="mine")
    tiers = [f"influxdb://mine/-/{bucket}/m" for bucket in ("five", "hours", "days")]
    assert [uris(dag, f"lifecycle.rollup_{every}") for every in ("5m", "1h", "1d")] == [
        [one] for one in tiers
    ]
    assert uris(dag, "lifecycle.reconcile") == tiers
    assert uris(dag, "lifecycle.archive") == ["s3://lake/a/-/raw/m"]
    plain = dag_of(Lifecycle("raw", "m", THREE, reconcile="1d"))
    assert [outlet for task_id in plain.task_ids for outlet in uris(plain, task_id)] == []


def test_assets_come_through_aliases_when_patterns_name_the_measurements() -> None:
    dag = dag_of(Lifecycle("raw", "*", THREE, reconcile="1d", assets="windows"))
    assert uris(dag, "lifecycle.measurement.rollup_1h") == ["an alias"]
    assert uris(dag, "lifecycle.measurement.reconcile") == ["an alias"]
    with pytest.raises(ConfigurationError, match="assets='partitions' needs the names of all measurements"):
        Lifecycle("raw", "*", THREE, assets="partitions")


@pytest.mark.skipif(not has_partitions(), reason="Airflow 3.3 and later have partitions that tasks name")
def test_windows_of_tiers_are_partitions_when_they_are_declared_so() -> None:
    dag = dag_of(Lifecycle("raw", "m", THREE, reconcile="1d", assets="partitions"))
    tasks = [cast("Any", dag.get_task(f"lifecycle.{name}")) for name in ("rollup_5m", "reconcile")]
    assert [task.partitions for task in tasks] == [True, True]


def test_first_tier_waits_in_the_triggerer_when_tasks_of_influxdb_compute_it() -> None:
    dag = dag_of(Lifecycle("raw", "m", (Tier("five", "5m", PARTS, execution="native"), Tier("hours", "1h"))))
    first, second = (cast("Any", dag.get_task(f"lifecycle.rollup_{every}")) for every in ("5m", "1h"))
    assert (first.execution, first.deferrable) == ("native", True)
    assert (second.execution, bool(second.deferrable)) == ("query", False)


def test_tasks_have_names_of_their_own_when_two_tiers_have_windows_of_one_length() -> None:
    days = (Tier("utc", "1d", PARTS, timezone="UTC"), Tier("months", "1mo"))
    made = Lifecycle("raw", "m", (Tier("hours", "1h", PARTS), Tier("again", "1h"), *days))
    assert set(dag_of(made).task_ids) == {
        "lifecycle.rollup_1h_1", "lifecycle.rollup_1h_2", "lifecycle.rollup_1d", "lifecycle.rollup_1mo",
    }  # fmt: skip


def test_reconcile_comes_last_when_a_lookback_is_given() -> None:
    lifecycle = Lifecycle("raw", "m", THREE, reconcile="7d")
    dag = dag_of(lifecycle)
    task: Any = dag.get_task("lifecycle.reconcile")
    assert task.upstream_task_ids == {f"lifecycle.rollup_{every}" for every in ("5m", "1h", "1d")}
    assert (task.lookback, task.cascade) == ("7d", True)
    asked = task.reconcile_spec()
    assert [one.pipeline_name for one in (asked.rollup, *asked.above)] == [
        one.pipeline_name for one in lifecycle.specs()
    ]
    assert (task.trigger_rule, task.max_active_tis_per_dag) == ("none_failed", 1)


def test_whole_lifecycle_is_one_chain_when_validation_archive_and_purge_are_given(tmp_path: Path) -> None:
    whole = Lifecycle(
        "clean",
        "m",
        THREE,
        validation=Validation(
            [{"rule": "future"}], bucket="arriving", quarantine_bucket="aside", on_failure="quarantine"
        ),
        archive=Archive(path=str(tmp_path), every="12h", purge_after="40d", quiet_for="2d"),
        reconcile="7d",
    )
    dag = dag_of(whole, group_id="m", retries=4)
    order = ["validate", "rollup_5m", "rollup_1h", "rollup_1d", "reconcile", "archive", "purge"]
    for before, after in pairwise(order):
        assert f"m.{after}" in dag.get_task(f"m.{before}").downstream_task_ids
    validate, archive, purge = (
        cast("Any", dag.get_task(f"m.{name}")) for name in ("validate", "archive", "purge")
    )
    assert (validate.bucket, validate.clean_bucket, validate.quarantine_bucket) == (
        "arriving",
        "clean",
        "aside",
    )
    assert (archive.bucket, archive.measurement, archive.every, archive.retries) == ("clean", "m", "12h", 4)
    assert (purge.delay, purge.min_age, purge.quiet_for) == ("40d", "40d", "2d")
    assert purge.require_pipelines == [spec.pipeline_name for spec in whole.specs()]
    # a run in which no day ends has skipped that tier
    assert {archive.trigger_rule, purge.trigger_rule} == {"none_failed"}


def test_tasks_that_wait_are_deferrable_when_the_group_is(tmp_path: Path) -> None:
    whole = Lifecycle(
        "clean",
        "m",
        THREE,
        validation=Validation([{"rule": "future"}]),
        archive=Archive(str(tmp_path), purge_after="40d"),
        reconcile="7d",
    )
    dag = dag_of(whole, deferrable=True)
    deferrable = {task.task_id for task in dag.tasks if getattr(task, "deferrable", False)}
    assert {task.task_id for task in dag.tasks} - deferrable == {"lifecycle.purge"}


def test_lifecycle_is_refused_when_points_would_go_before_they_are_archived_for_long_enough() -> None:
    with pytest.raises(ConfigurationError, match="not longer than quiet_for"):
        Archive(path="/archive", purge_after="1d", quiet_for="1d")
    with pytest.raises(ConfigurationError, match="before purge_after=40d"):
        Lifecycle("raw", "m", THREE, retention="40d", archive=Archive(path="/archive", purge_after="40d"))


def test_group_is_refused_when_a_bucket_drops_rows_between_two_runs() -> None:
    kept = (Tier("five", "5m", PARTS, retention="2h"), Tier("hours", "1h"))
    dag_of(Lifecycle("raw", "m", kept), timedelta(hours=1))
    with pytest.raises(ConfigurationError, match="between runs"):
        dag_of(Lifecycle("raw", "m", kept), timedelta(hours=2))
