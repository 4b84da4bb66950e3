"""What stages count, as Airflow's metrics get it: the points that were written by hand are the oracle."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_mock import MockerFixture

from airflow_provider_influx_rollup.airflow_compat import Stats, TaskDeferred
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.operators.reconcile import FluxReconcileOperator
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from tests.scenes.task_scene import fire, make_context, reborn

pytestmark = [pytest.mark.live, pytest.mark.airflow, pytest.mark.usefixtures("connections")]

START = datetime(2026, 1, 1, tzinfo=UTC)
#: three windows of an hour, with 4, 0 and 2 points of each of two fields
MINUTES = (0, 10, 20, 30, 120, 130)


class Told:
    """What Airflow was told."""

    def __init__(self, mocker: MockerFixture) -> None:
        self.counts: dict[str, int] = {}
        self.gauges: dict[str, tuple[float, Any]] = {}
        mocker.patch.object(Stats, "incr", self._incr)
        mocker.patch.object(Stats, "gauge", self._gauge)
        mocker.patch.object(Stats, "timing")

    def _incr(self, name: str, count: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + count

    def _gauge(self, name: str, value: float, *, tags: dict[str, Any]) -> None:
        self.gauges[name] = (value, tags)


@pytest.fixture
def told(mocker: MockerFixture) -> Told:
    return Told(mocker)


@pytest.fixture
def wanted(client: InfluxClient, bucket_factory: Callable[[], str]) -> dict[str, Any]:
    source = bucket_factory()
    times = [int((START + timedelta(minutes=minute)).timestamp()) * 10**9 for minute in MINUTES]
    client.write_lines(source, [f"m,d=a temp=1,load=2 {time}" for time in times])
    return {
        "task_id": "rollup",
        "influx_conn_id": "tele",
        "source_bucket": source,
        "target_bucket": bucket_factory(),
        "ledger_bucket": bucket_factory(),
        "measurement": "m",
        "every": "1h",
        "aggregates": ["count"],
        "pipeline": "counted",
        "start": START,
        "stop": START + timedelta(hours=3),
    }


@pytest.mark.parametrize("deferrable", [False, True])
def test_rollup_counts_windows_and_rows_and_tells_its_lag(
    wanted: dict[str, Any], told: Told, deferrable: bool
) -> None:
    operator, context = FluxRollupOperator(**wanted, deferrable=deferrable), make_context()
    if deferrable:
        with pytest.raises(TaskDeferred) as caught:
            operator.execute(context)
        operator.execute_complete(context, fire(reborn(caught.value.trigger)))
    else:
        operator.execute(context)
    assert told.counts == {
        "influx_rollup.rollup.success": 1,
        "influx_rollup.rollup.windows": 3,
        "influx_rollup.rollup.rows_in": 2 * len(MINUTES),
        "influx_rollup.rollup.rows_out": 2 * 2,
    }
    lag, tags = told.gauges["influx_rollup.rollup.lag"]
    assert lag == pytest.approx((datetime.now(UTC) - wanted["stop"]).total_seconds(), abs=60)
    assert tags == {"pipeline": "counted"}
    assert told.gauges["influx_rollup.rollup.pending"] == (0, tags)


def test_dry_run_counts_only_its_end(wanted: dict[str, Any], told: Told) -> None:
    FluxRollupOperator(**wanted, dry_run=True).execute(make_context())
    assert told.counts == {"influx_rollup.rollup.success": 1}
    assert told.gauges == {}


def test_reconcile_counts_what_was_wrong(client: InfluxClient, wanted: dict[str, Any], told: Told) -> None:
    FluxRollupOperator(**wanted).execute(make_context())
    late = int((START + timedelta(minutes=70)).timestamp()) * 10**9
    client.write_lines(wanted["source_bucket"], [f"m,d=a temp=1 {late}"])
    told.counts.clear()
    span = {name: wanted[name] for name in ("influx_conn_id", "ledger_bucket", "pipeline", "start", "stop")}
    FluxReconcileOperator(task_id="reconcile", **span).execute(make_context())
    assert told.counts == {
        "influx_rollup.reconcile.success": 1,
        "influx_rollup.reconcile.windows": 3,
        "influx_rollup.reconcile.dirty": 1,
    }
