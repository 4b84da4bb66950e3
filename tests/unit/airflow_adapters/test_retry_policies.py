"""What Airflow 3.3 does after an error, with the policy that waits longer on overload."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_influx_rollup import exceptions
from airflow_provider_influx_rollup.operators.rollup import FluxRollupOperator
from airflow_provider_influx_rollup.retry_policies import overload_retry_policy

retry_policy = pytest.importorskip("airflow.sdk.definitions.retry_policy")


@pytest.mark.parametrize(
    ("error", "delay"),
    [
        (exceptions.InfluxOverloaded("busy"), timedelta(minutes=20)),
        (exceptions.QueryTooLarge("memory"), timedelta(minutes=20)),
        (exceptions.QueryTooSlow("slow"), timedelta(minutes=20)),
        (exceptions.InfluxUnavailable("down"), timedelta(minutes=2)),
        (exceptions.SourceChanging("late points"), None),
        (ValueError("another"), None),
    ],
)
def test_next_try_waits_as_the_error_says(error: Exception, delay: timedelta | None) -> None:
    policy = overload_retry_policy(timedelta(minutes=20), unavailable_delay=timedelta(minutes=2))
    decision = policy.evaluate(error, 1, 3)
    assert decision.retry_delay == delay
    assert decision.action == (retry_policy.RetryAction.RETRY if delay else retry_policy.RetryAction.DEFAULT)


def test_server_that_is_down_is_tried_as_the_task_says_unless_more_is_given() -> None:
    assert overload_retry_policy().evaluate(exceptions.InfluxUnavailable("down"), 1, 3).retry_delay is None


def test_stage_takes_the_policy_and_it_survives_serialization() -> None:
    policy = overload_retry_policy()
    stage = FluxRollupOperator(
        task_id="t",
        source_bucket="raw",
        target_bucket="t",
        measurement="m",
        every="1h",
        aggregates=["count"],
        retry_policy=policy,
    )
    assert stage.retry_policy is policy
    again = retry_policy.ExceptionRetryPolicy.deserialize(policy.serialize())
    assert again.evaluate(exceptions.InfluxOverloaded("busy"), 1, 3).retry_delay == timedelta(minutes=15)
