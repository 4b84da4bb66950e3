"""Which windows a run would heal."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.heal import HealResult, plan_healing
from airflow_provider_influx_rollup.lifecycle.rollup.rollup_run import RollupRun
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.interval import Interval


@pytest.mark.parametrize(("heal", "first"), [("9999y", 1678), ("3y", 2022)])
def test_lookback_begins_with_the_years_that_influxdb_stores_when_it_is_longer(heal: str, first: int) -> None:
    spec = RollupSpec(
        source_bucket="raw",
        target_bucket="yearly",
        measurement="m",
        grid=GridSpec("1y"),
        aggregates=("count",),
    )
    year = Interval(datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    steps = plan_healing(
        RollupRun(spec, RunInfo(), lambda: datetime(2026, 1, 2, tzinfo=UTC), RollupOptions(heal=heal)), year
    )
    next(steps)
    with pytest.raises(StopIteration) as end:
        steps.send((None, None, None))
    healing: HealResult = end.value.value
    assert [window.start.year for window in healing.missing] == list(range(first, 2025))
