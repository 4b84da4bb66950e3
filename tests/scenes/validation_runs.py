"""Validations on a real server, and what they left there, read without the product's code."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pandas as pd

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.lifecycle.validate.validate import validate
from airflow_provider_influx_rollup.steps.influx import Delete, Gather, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval
from tests import oracle
from tests.conftest import InfluxServer
from tests.scenes.sent_flux import flux_of
from tests.scenes.validation_scene import MEASUREMENT, START, Point

NOW = START + timedelta(days=2)
HOUR = Interval(START, START + timedelta(hours=1))
START_NS = HOUR.start_ns
FUTURE_NS = START_NS + 3 * 86_400 * 10**9


def future_line(ns: int = FUTURE_NS) -> str:
    return f"{MEASUREMENT},device_id=device-002,firmware=1.9,site=são\\ paulo temperature=20 {ns}"


def run(client: InfluxClient, spec: ValidateSpec, interval: Interval, now: datetime = NOW) -> dict[str, Any]:
    steps = validate(spec, interval, RunInfo(dag_id="dag", task_id="task", run_id="run"), lambda: now)
    return drive(steps, client, lambda _report: None).as_json()


def queries_of(client: InfluxClient, spec: ValidateSpec, interval: Interval) -> list[str]:
    """Every query that a validation sends, in order."""
    sent: list[str] = []

    def tapped() -> Steps[Any]:
        steps, answer = validate(spec, interval, RunInfo(), lambda: NOW), None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return end.value
            inner = step.steps if isinstance(step, Gather) else (step,)
            sent.extend(filter(None, map(flux_of, inner)))
            answer = yield step

    drive(tapped(), client, lambda _report: None)
    return sent


class Died(Exception):
    """The worker was killed."""


def died(client: InfluxClient, spec: ValidateSpec, interval: Interval, *, after: int) -> bool:
    """Run a validation that is killed after some writes and deletes; whether it was, or ended before."""
    left = after

    def tapped() -> Steps[Any]:
        nonlocal left
        steps, answer = validate(spec, interval, RunInfo(), lambda: NOW), None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return end.value
            answer = yield step
            # between two of these, nothing on the server changes
            left -= isinstance(step, Write | Delete)
            if left < 0:
                raise Died

    try:
        drive(tapped(), client, lambda _report: None)
    except Died:
        return True
    return False


def by_rule(result: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["rule"]: one for one in result["rules"]}


def stored(
    influx: InfluxServer,
    bucket: str,
    measurement: str,
    bounds: tuple[str, ...] = ("1970-01-01T00:00:00Z", "2262-01-01T00:00:00Z"),
) -> pd.DataFrame:
    parts = [
        oracle.read_target(influx.url, influx.org, influx.token, bucket, measurement, *pair)
        for pair in pairwise(bounds)
    ]
    return pd.concat(parts, ignore_index=True)


def quarantined(influx: InfluxServer, bucket: str, measurement: str = MEASUREMENT) -> dict[str, set[Point]]:
    """Field, tags and time of each copy, by rule; a copy that is there twice fails."""
    table = stored(
        influx, bucket, measurement, ("1970-01-01T00:00:00Z", "2025-03-10T00:00:00Z", "2262-01-01T00:00:00Z")
    )
    found: dict[str, set[Point]] = {}
    tag_keys = [
        name
        for name in table
        if name not in {"_time", "_field", "_value", "type", "violated_rule", "validation"}
    ]
    for row in table.to_dict("records"):
        tags = tuple((key, row[key]) for key in sorted(tag_keys) if isinstance(row[key], str) and row[key])
        point = (row["_field"], tags, row["_time"])
        assert point not in found.setdefault(row["violated_rule"], set())
        found[row["violated_rule"]].add(point)
    return found


def differences(found: Mapping[str, set[Point]], expected: Mapping[str, set[Point]]) -> dict[str, Any]:
    """What is missing and what is too much, by rule."""
    return {
        rule: {
            "missing": expected.get(rule, set()) - found.get(rule, set()),
            "too much": found.get(rule, set()) - expected.get(rule, set()),
        }
        for rule in found.keys() | expected.keys()
        if found.get(rule, set()) != expected.get(rule, set())
    }
