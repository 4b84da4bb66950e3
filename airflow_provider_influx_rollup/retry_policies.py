"""A retry policy for Airflow 3.3 and later: a server that has too much to do gets more time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk.definitions.retry_policy import RetryPolicy

EXCEPTIONS = "airflow_provider_influx_rollup.exceptions"
#: a try that follows at once would only add to what is too much already
OF_OVERLOAD = ("InfluxOverloaded", "QueryTooLarge", "QueryTooSlow")


def overload_retry_policy(
    delay: timedelta = timedelta(minutes=15), unavailable_delay: timedelta | None = None
) -> RetryPolicy:
    """The ``retry_policy`` of a stage that waits longer when InfluxDB has too much to do.

    Other errors are tried again as the task says; permanent ones fail at once, with any policy.

    :param delay: before the next try after an overload: a full queue, 503, 429, a query that took too much memory or time
    :param unavailable_delay: the same when InfluxDB cannot be reached; None: the task's ``retry_delay``
    :raises ImportError: before Airflow 3.3
    """
    from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule

    rules = [
        RetryRule(
            exception=[f"{EXCEPTIONS}.{name}" for name in OF_OVERLOAD],
            action=RetryAction.RETRY,
            retry_delay=delay,
            reason="InfluxDB has too much to do",
        )
    ]
    if unavailable_delay is not None:
        rules.append(
            RetryRule(
                exception=f"{EXCEPTIONS}.InfluxUnavailable",
                action=RetryAction.RETRY,
                retry_delay=unavailable_delay,
                reason="InfluxDB cannot be reached",
            )
        )
    return ExceptionRetryPolicy(rules=rules)
