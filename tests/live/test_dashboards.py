"""The dashboards of ``docs/dashboards/``: each query runs on a real ledger and finds something; each metric is one of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.flux.extern import extern_file, window_values
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.lifecycle.validate.validate import validate
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.scenes.doc_blocks import CHECKOUT

START = datetime(2026, 3, 1, tzinfo=UTC)
SPAN = Interval(START, START + timedelta(hours=2))
WINDOWS = json.loads((CHECKOUT / "docs/dashboards/windows.json").read_text())
VARIABLE = re.compile(r"\$\{(\w+)(?::\w+)?\}")


def queries(dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for panel in dashboard["panels"]:
        yield from ((panel["title"], target["query"]) for target in panel["targets"])
    for one in dashboard["templating"]["list"]:
        if one["type"] == "query":
            yield f"variable {one['name']}", one["query"]


@pytest.fixture(scope="module")
def ledger(module_client: InfluxClient, module_bucket: Callable[[], str]) -> str:
    """A ledger in which there is something to see: windows, one of them again and for a reason, and a violated rule."""
    client, ledger, source = module_client, module_bucket(), module_bucket()
    run = RunInfo(dag_id="d", task_id="t", run_id="r", reason="reconcile: new points")
    spec = RollupSpec(
        source_bucket=source,
        target_bucket=module_bucket(),
        measurement="m",
        grid=GridSpec("1h"),
        aggregates=("count",),
        ledger_bucket=ledger,
        pipeline="p",
    )
    client.write_lines(source, [f"m temp=1 {int(START.timestamp())}000000000"])
    for _ in range(2):
        drive(roll_up(spec, SPAN, run, lambda: datetime.now(UTC)), client, lambda _: None)
    rules = rules_of([{"rule": "range", "field": "temp", "high": 0}])
    judged = ValidateSpec(bucket=source, measurement="m", rules=rules, ledger_bucket=ledger)
    drive(validate(judged.at(SPAN), SPAN, run, lambda: datetime.now(UTC)), client, lambda _: None)
    return ledger


@pytest.mark.live
@pytest.mark.parametrize(("title", "query"), list(queries(WINDOWS)), ids=lambda one: one[:30])
def test_query_of_the_dashboard_finds_something(
    client: InfluxClient, ledger: str, title: str, query: str
) -> None:
    flux = query.replace("${ledger}", ledger).replace("${pipeline:regex}", "(p|q)")
    assert VARIABLE.findall(flux) == []
    # events have the time at which they happened
    span = Interval(START, datetime.now(UTC) + timedelta(days=1)) if "again" in title else SPAN
    rows = client.query(flux, extern=extern_file(v=window_values(span, timedelta(hours=1))))
    assert rows, title
