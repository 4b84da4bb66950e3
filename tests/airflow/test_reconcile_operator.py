"""The reconcile as a task sees it, on a real InfluxDB: in the worker and in the triggerer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.airflow_compat import AirflowFailException, TaskDeferred
from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle, Tier
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.operators.reconcile import DIRTY_XCOM_KEY, FluxReconcileOperator
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.task_scene import fire, make_context, reborn

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

HOUR = timedelta(hours=1)


def line(minute: int, start: datetime) -> str:
    return f"fleet,device=d temp={minute} {int(start.timestamp()) + minute * 60}000000000"


@pytest.fixture
def spec(client: InfluxClient, bucket_factory: Callable[[], str]) -> RollupSpec:
    """Three rolled up hours that end now; the second one has got a late point."""
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 3 * HOUR
    spec = RollupSpec(
        source_bucket=bucket_factory(),
        target_bucket=bucket_factory(),
        measurement="fleet",
        grid=GridSpec("1h"),
        aggregates=("count", "max"),
        pipeline="fleet_1h",
        ledger_bucket=bucket_factory(),
    )
    client.write_lines(spec.source_bucket, [line(minute, start) for minute in range(0, 180, 10)])
    steps = roll_up(spec, Interval(start, start + 3 * HOUR), RunInfo(), lambda: datetime.now(UTC))
    drive(steps, client, lambda _report: None)
    client.write_lines(spec.source_bucket, [line(65, start)])
    return spec


def make_operator(spec: RollupSpec, **more: Any) -> FluxReconcileOperator:
    settings = {"influx_conn_id": "tele", "ledger_bucket": spec.ledger_bucket, "lookback": "3h"}
    return FluxReconcileOperator(task_id="reconcile", **({"pipeline": "fleet_1h"} | settings | more))


def test_dirty_windows_are_planned_mapped_and_repaired_when_a_point_was_late(spec: RollupSpec) -> None:
    context = make_context()
    planned = make_operator(spec, mode="plan").execute(context)
    assert json.loads(json.dumps(planned)) == planned
    assert (planned["windows"], planned["dirty_total"]) == (3, 1)
    (window,) = context["ti"].pushed[DIRTY_XCOM_KEY]
    assert planned["dirty_windows"] == [window]
    # as a mapped task gets it
    repaired = make_operator(spec, lookback=None, **window).execute(make_context())
    assert repaired["repaired"] == {"windows": 1, "rows": 1, "values": 2, "deleted": 0}
    assert repaired["is_clean"]
    again = make_context()
    assert make_operator(spec, max_windows="5").execute(again)["dirty"] == []
    assert again["ti"].pushed[DIRTY_XCOM_KEY] == []


def test_windows_are_repaired_in_the_triggerer_when_the_task_is_deferrable(spec: RollupSpec) -> None:
    operator, context = make_operator(spec, deferrable=True, cascade=False), make_context()
    with pytest.raises(TaskDeferred) as caught:
        operator.execute(context)
    result = operator.execute_complete(context, fire(reborn(caught.value.trigger)))
    assert result["repaired"]["rows"] == 1
    assert len(context["ti"].pushed[DIRTY_XCOM_KEY]) == 1
    assert make_operator(spec).execute(make_context())["dirty"] == []


def test_rollup_is_reconciled_by_its_own_parameters_when_the_ledger_was_lost(spec: RollupSpec) -> None:
    own = {
        "source_bucket": spec.source_bucket,
        "target_bucket": spec.target_bucket,
        "measurement": "fleet",
        "every": "1h",
        "aggregates": ["count", "max"],
    }
    known = make_operator(spec, pipeline="fleet_1h", **own)
    assert known.reconcile_spec().rollup == replace(
        spec, max_rows_per_read=known.reconcile_spec().rollup.max_rows_per_read
    )
    result = make_operator(spec, pipeline=None, dry_run=True, **own).execute(make_context())
    assert result["mode"] == "plan"
    assert [change["reasons"] for change in result["dirty"]] == [["never committed"]] * 3


def test_task_fails_for_good_when_the_pipeline_or_the_lookback_is_not_possible(spec: RollupSpec) -> None:
    with pytest.raises(AirflowFailException, match="'fleet_1h'"):
        make_operator(spec, pipeline="fleet").execute(make_context())
    with pytest.raises(AirflowFailException, match="WindowUndefined"):
        make_operator(spec, lookback=None).execute(make_context())
    with pytest.raises(AirflowFailException, match="max_windows='few'"):
        make_operator(spec, max_windows="few").execute(make_context())


def test_dag_is_refused_when_nothing_or_half_of_a_rollup_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no pipeline is named"):
        FluxReconcileOperator(task_id="r", lookback="1d")
    with pytest.raises(ConfigurationError, match="source_bucket are given without target_bucket"):
        FluxReconcileOperator(task_id="r", pipeline="p", source_bucket="raw", lookback="1d")
    with pytest.raises(ConfigurationError, match="mode='fix'"):
        FluxReconcileOperator(task_id="r", pipeline="p", mode="fix")
    FluxReconcileOperator(task_id="r", pipeline="p", mode="{{ params.mode }}")


def test_dag_is_refused_when_a_lifecycle_is_given_beside_a_rollup_or_names_several_measurements() -> None:
    days = Tier("days", "1d", ["count"])
    one, several = Lifecycle("raw", "m", [days]), Lifecycle("raw", ["m", "n"], [days])
    with pytest.raises(ConfigurationError, match="pipeline would have no effect"):
        FluxReconcileOperator(task_id="r", lifecycle=one, pipeline="p", lookback="1d")
    with pytest.raises(ConfigurationError, match="name one measurement="):
        FluxReconcileOperator(task_id="r", lifecycle=several, lookback="1d")
    task = FluxReconcileOperator(task_id="r", lifecycle=several, measurement="n", lookback="1d")
    asked = task.reconcile_spec()
    assert (asked.rollup.measurement if asked.rollup else None, asked.above) == ("n", ())
