"""Stages that are about an interval: their parameters, and which interval a run has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.airflow_compat import Context
from airflow_provider_influx_rollup.data_interval import interval_of_task
from airflow_provider_influx_rollup.declared_values import declared_duration, declared_key_format
from airflow_provider_influx_rollup.operators._base import InfluxStageOperator
from airflow_provider_influx_rollup.task_failures import failing_by_permanence
from airflow_provider_influx_rollup.windows.duration import DurationLike

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.windows.interval import Interval

WINDOW_FIELDS = ("start", "stop", "window", "offset", "timezone")


class WindowStageOperator(InfluxStageOperator):
    """Base of the stages that are about the interval of the run.

    :param start: start of the interval, aware or ISO 8601 with an offset; default: the run's data interval
    :param stop: its stop, not included
    :param window: length of the interval where the run names one instant only, such as ``timedelta(hours=1)``
    :param offset: how much later than midnight days begin, and shift of the grid where there is one, a Flux duration
    :param timezone: IANA zone in which days, weeks, months and years begin
    :param partition_key_format: ``strptime`` format of the time in the key of a partitioned run; default: dates, ISO 8601
        times with an offset and what Airflow writes, such as ``2026-03-10T09``
    :raises ConfigurationError: (when the DAG is parsed) when that format gives no date
    """

    template_fields: Sequence[str] = (*InfluxStageOperator.template_fields, *WINDOW_FIELDS)

    def __init__(
        self,
        *,
        start: str | date | None = None,
        stop: str | date | None = None,
        window: DurationLike | None = None,
        offset: DurationLike = "0s",
        timezone: str = "UTC",
        partition_key_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.start = start
        self.stop = stop
        self.window = declared_duration(window)
        self.offset = declared_duration(offset)
        self.timezone = timezone
        self.partition_key_format = declared_key_format(partition_key_format)

    @failing_by_permanence()
    def interval(self, context: Context) -> Interval:
        """The interval of this run.

        :param context: Airflow's context
        :raises AirflowFailException: when nothing names an interval; the message names the fix
        """
        return interval_of_task(self, context)
