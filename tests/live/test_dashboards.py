"""The dashboards of ``docs/dashboards/``: each query runs on a real ledger and finds what is so; each metric is one of ours."""

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
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptsOf
from airflow_provider_influx_rollup.ledger.codec import encode_claims
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.lifecycle.validate.validate import validate
from airflow_provider_influx_rollup.steps.ask import ask
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


def rollup_into(ledger: str, source: str, target: str) -> RollupSpec:
    return RollupSpec(
        source_bucket=source,
        target_bucket=target,
        measurement="m",
        grid=GridSpec("1h"),
        aggregates=("count",),
        ledger_bucket=ledger,
        pipeline="p",
    )


def shown(client: InfluxClient, ledger: str, query: str, span: Interval) -> list[dict[str, Any]]:
    """What a panel or a variable gets for a time, with two pipelines chosen."""
    flux = query.replace("${ledger}", ledger).replace("${pipeline:regex}", "(p|q)")
    assert VARIABLE.findall(flux) == []
    return client.query(flux, extern=extern_file(v=window_values(span, timedelta(hours=1))))


@pytest.fixture(scope="module")
def ledger(module_client: InfluxClient, module_bucket: Callable[[], str]) -> str:
    """A ledger in which there is something to see: windows, one of them again and for a reason, and a violated rule."""
    client, ledger, source = module_client, module_bucket(), module_bucket()
    run = RunInfo(dag_id="d", task_id="t", run_id="r", reason="reconcile: new points")
    spec = rollup_into(ledger, source, module_bucket())
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
    # events have the time at which they happened
    span = Interval(START, datetime.now(UTC) + timedelta(days=1)) if "again" in title else SPAN
    assert shown(client, ledger, query, span), title


@pytest.mark.live
def test_windows_have_the_states_of_coverage_when_a_run_committed_one_that_another_had_claimed(
    client: InfluxClient, bucket_factory: Callable[..., str]
) -> None:
    ledger, source = bucket_factory("ledger"), bucket_factory("source")
    spec = rollup_into(ledger, source, bucket_factory("target"))
    drive(roll_up(spec, SPAN, RunInfo(run_id="r"), lambda: datetime.now(UTC)), client, lambda _: None)
    receipts = drive(ask(ReceiptsOf(ledger, "p", ROLLUP, SPAN)), client, lambda _: None)
    panels = dict(queries(WINDOWS))
    for claimed, states, stop in (
        ([], {"COMMITTED": 2}, SPAN.stop),
        (receipts[1:], {"COMMITTED": 1, "WRITING": 1}, SPAN.stop - timedelta(hours=1)),
    ):
        client.write_lines(ledger, encode_claims(claimed, "another's"))
        rows = shown(client, ledger, panels["Windows by state"], SPAN)
        assert {row["state"]: row["_value"] for row in rows} == states
        (behind,) = shown(client, ledger, panels["Behind now"], SPAN)
        assert behind["_value"] == pytest.approx((datetime.now(UTC) - stop).total_seconds(), abs=120)


@pytest.mark.live
def test_a_window_counts_once_for_a_reason_when_it_was_written_again_for_it(
    client: InfluxClient, bucket_factory: Callable[..., str]
) -> None:
    ledger, source = bucket_factory("ledger"), bucket_factory("source")
    spec = rollup_into(ledger, source, bucket_factory("target"))
    for reason in ("", "reconcile: new points"):
        run = RunInfo(run_id="r", reason=reason)
        drive(roll_up(spec, SPAN, run, lambda: datetime.now(UTC)), client, lambda _: None)
    span = Interval(START, datetime.now(UTC) + timedelta(days=1))
    rows = shown(client, ledger, dict(queries(WINDOWS))["Why windows were written again"], span)
    assert [(row["pipeline"], row["reason"], row["_value"]) for row in rows] == [
        ("p", "reconcile: new points", 2)
    ]
