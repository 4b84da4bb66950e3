"""A validation that fails at any of its steps says what was written."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_influx_rollup.client.driver import drive
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.exceptions import InfluxUnavailable
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.lifecycle.validate.validate import validate
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.validation.catalog import rules_of
from tests.scenes.validation_runs import HOUR, NOW, START_NS

pytestmark = pytest.mark.live


def cut(spec: ValidateSpec, after: int) -> Steps[Any]:
    """A validation whose server is away at one of its steps.

    :param after: how many steps go well; those that only tell something do not count
    """
    steps = validate(spec, HOUR, RunInfo(), lambda: NOW)
    step = next(steps)
    while True:
        is_asked = not isinstance(step, Report)
        try:
            if is_asked and after == 0:
                step = steps.throw(InfluxUnavailable("the server is away", fix="wait"))
            after -= is_asked
            step = steps.send((yield step))
        except StopIteration as end:
            return end.value


def errors_of(client: InfluxClient, spec: ValidateSpec) -> Iterator[InfluxUnavailable]:
    """The errors of a validation that fails at its first step, at its second, and so on to the last."""
    for after in itertools.count():
        try:
            drive(cut(spec, after), client, lambda _report: None)
        except InfluxUnavailable as error:
            yield error
        else:
            return


def test_an_error_at_any_step_says_what_was_written(
    client: InfluxClient, bucket_factory: Callable[[], str]
) -> None:
    bucket, quarantine, clean, ledger = (bucket_factory() for _ in range(4))
    values = (1, 99, 2, 98)
    client.write_lines(bucket, [f"m,d=a temp={value} {START_NS + n}" for n, value in enumerate(values)])
    spec = ValidateSpec(
        bucket=bucket,
        measurement="m",
        rules=rules_of(
            [
                {"rule": "range", "field": "temp", "high": 50},
                {"rule": "spike", "field": "temp", "max_change": 97, "per": "1m"},
            ]
        ),
        quarantine_bucket=quarantine,
        clean_bucket=clean,
        ledger_bucket=ledger,
    )
    said = [error.written for error in errors_of(client, spec)]
    assert len(said) > 8
    assert list(dict.fromkeys(said)) == [
        "nothing",
        "no copy of a point, and no result",
        "maybe copies of some points, and no result",
        "all copies, and maybe a part of the result",
    ]
