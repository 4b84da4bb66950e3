"""The base of all sensors: one poll in a worker, then the triggerer; ends of a wait are alike in both."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSensorTimeout

from airflow_provider_influx_rollup.airflow_compat import (
    AirflowFailException,
    AirflowSkipException,
    BaseSensorOperator,
    Context,
    PokeReturnValue,
)
from airflow_provider_influx_rollup.airflow_compat import timezone as airflow_timezone
from airflow_provider_influx_rollup.data_interval import interval_of_task
from airflow_provider_influx_rollup.declared_values import declared_duration, declared_key_format
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.hooks.default_connection import DEFAULT_CONN_ID
from airflow_provider_influx_rollup.hooks.influx import InfluxRollupHook
from airflow_provider_influx_rollup.lineage.stage import LineageTask
from airflow_provider_influx_rollup.settings import default_deferrable
from airflow_provider_influx_rollup.task_failures import failing_by_permanence, result_of_event
from airflow_provider_influx_rollup.typed_arguments import TypedArguments
from airflow_provider_influx_rollup.windows.duration import DurationLike

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_influx_rollup.steps.influx import Report
    from airflow_provider_influx_rollup.windows.interval import Interval

# Airflow itself ends the wait this much later than the trigger does, for when no triggerer runs
TRIGGER_GRACE = timedelta(minutes=5)
# what Airflow says when it ends a wait itself, on 3.x and on 2.11, which has no exception class for it
TRIGGER_FAILED = "__fail__"
TRIGGER_TIMED_OUT = frozenset({"Trigger timeout", "Trigger/execution timeout"})


class InfluxSensor(TypedArguments, LineageTask, BaseSensorOperator):
    """Poll InfluxDB about the run's interval until something is there.

    :param start: start of the interval, aware or ISO 8601 with an offset; default: the run's data interval
    :param stop: its stop, not included
    :param window: length of the interval where the run names one instant only
    :param timezone: IANA zone in which days, weeks, months and years begin
    :param offset: shift of the grid, a Flux duration
    :param partition_key_format: ``strptime`` format of the time in the key of a partitioned run; default: dates, ISO 8601
        times with an offset and what Airflow writes, such as ``2026-03-10T09``
    :param influx_conn_id: connection of type ``influx_rollup`` (or ``influxdb``)
    :param org: organisation's name; default: the connection's
    :param deferrable: wait in the triggerer; default: ``[influx_rollup] default_deferrable``
    """

    def __init__(
        self,
        *,
        influx_conn_id: str = DEFAULT_CONN_ID,
        org: str | None = None,
        deferrable: bool | None = None,
        start: str | date | None = None,
        stop: str | date | None = None,
        window: DurationLike | None = None,
        timezone: str = "UTC",
        offset: DurationLike = "0s",
        partition_key_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.start, self.stop, self.window = start, stop, declared_duration(window)
        self.timezone, self.offset = timezone, declared_duration(offset)
        self.partition_key_format = declared_key_format(partition_key_format)
        self.influx_conn_id, self.org = influx_conn_id, org
        self.deferrable = default_deferrable() if deferrable is None else deferrable

    @cached_property
    def hook(self) -> InfluxRollupHook:
        """The connection; made when first used, after the templates are rendered."""
        return InfluxRollupHook(self.influx_conn_id, org=self.org)

    @abstractmethod
    def _look(self, interval: Interval) -> Any | None:
        """Poll once; the sensor's return value, or None when there is nothing yet."""

    @abstractmethod
    def _trigger(self, interval: Interval, deadline: datetime) -> BaseTrigger:
        """The trigger that polls on.

        :param deadline: when it gives up, aware
        """

    def execute(self, context: Context) -> Any:
        """Wait; in deferrable mode poll once and then hand over to the triggerer.

        :param context: Airflow's context
        """
        if not self.deferrable:
            return super().execute(context)
        with self._softened():
            found = self.poke(context)
            if isinstance(found, PokeReturnValue):
                return found.xcom_value
            deadline = airflow_timezone.utcnow() + timedelta(seconds=self.timeout)
            with failing_by_permanence():
                trigger = self._trigger(self.interval(context), deadline)
        timeout = timedelta(seconds=self.timeout) + TRIGGER_GRACE
        return self.defer(trigger=trigger, method_name="execute_complete", timeout=timeout)

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Poll once.

        :param context: Airflow's context
        :return: False, or the return value
        :raises AirflowFailException: for permanent errors
        """
        with failing_by_permanence():
            interval = self.interval(context)
            try:
                found = self._look(interval)
            except InfluxRollupError as error:
                if error.permanent:
                    raise
                self.log.warning("%s: cannot look, will try again: %s", interval, error)
                return False
        return False if found is None else PokeReturnValue(is_done=True, xcom_value=found)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> Any:  # noqa: ARG002 - Airflow's signature
        """Resume after the triggerer's event.

        :param context: Airflow's context
        :param event: what the trigger fired
        :raises AirflowSensorTimeout: when what is waited for had not come in time
        :raises AirflowFailException: for permanent errors
        """
        with self._softened():
            why = self._why_late(event or {})
            if why is not None:
                raise AirflowSensorTimeout(why)
            found = result_of_event(event)
        self.log.info("%s", found)
        return found

    @abstractmethod
    def _why_late(self, event: Mapping[str, Any]) -> str | None:
        """What had not come in time, by the trigger's event; None when it came, or an error did."""

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Turn the end of a wait that no triggerer looked after into a sensor's timeout, as 3.x does.

        :raises AirflowSensorTimeout: when Airflow itself ended the wait
        """
        with self._softened():
            reason = (next_kwargs or {}).get("error")
            if next_method == TRIGGER_FAILED and reason in TRIGGER_TIMED_OUT:
                what = f"{reason}: the trigger sent no event in time; does a triggerer run?"
                raise AirflowSensorTimeout(what)
            return super().resume_execution(next_method, next_kwargs, context)

    def interval(self, context: Context) -> Interval:
        """The interval of this run.

        :param context: Airflow's context
        """
        return interval_of_task(self, context)

    @contextmanager
    def _softened(self) -> Iterator[None]:
        """Skip instead of failing where ``soft_fail`` or ``never_fail`` say so, as in poke mode."""
        try:
            yield
        except AirflowSkipException:
            raise
        except (AirflowSensorTimeout, AirflowFailException) as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise
        except Exception as error:
            if self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise

    def _report(self, report: Report) -> None:
        log = self.log.warning if report.level == "warning" else self.log.info
        log("%s", report.message)
