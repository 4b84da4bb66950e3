"""Wait in the triggerer until windows are complete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.airflow_compat import BaseTrigger, TriggerEvent, timezone
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.hooks.default_connection import DEFAULT_CONN_ID
from airflow_provider_influx_rollup.hooks.influx import InfluxRollupHook
from airflow_provider_influx_rollup.task_failures import error_event

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
    from airflow_provider_influx_rollup.steps.influx import Report
    from airflow_provider_influx_rollup.windows.interval import Interval

# a long sleep would not notice that the clock was set, or that the machine was suspended
LONGEST_SLEEP_SECONDS = 60.0


class WindowReadyTrigger(BaseTrigger):
    """Fires once: when all windows of an interval are complete, on a permanent error, or at the deadline.

    Before stop + lateness it asks the server for the time only. Transient errors are logged and tried again.

    :param spec: what complete means, as JSON (``lifecycle.completeness.completeness.CompletenessSpec``)
    :param interval: ``{"start", "stop"}`` in RFC 3339
    :param poke_interval_seconds: how long between two looks
    :param deadline: when to give up, RFC 3339; absolute, so that it survives a restart of the triggerer
    :param influx_conn_id: the connection
    :param org: organisation's name; default: the connection's
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        interval: Mapping[str, str],
        poke_interval_seconds: float,
        deadline: str,
        influx_conn_id: str = DEFAULT_CONN_ID,
        org: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.spec = dict(spec)
        self.interval = dict(interval)
        self.poke_interval_seconds = poke_interval_seconds
        self.deadline = deadline
        self.influx_conn_id = influx_conn_id
        self.org = org

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments."""
        kwargs = {
            "spec": self.spec,
            "interval": self.interval,
            "poke_interval_seconds": self.poke_interval_seconds,
            "deadline": self.deadline,
            "influx_conn_id": self.influx_conn_id,
            "org": self.org,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, look, and fire one event."""
        try:
            event = await self._wait()
        except InfluxRollupError as error:
            event = error_event(error)
        yield TriggerEvent(event)  # type: ignore[no-untyped-call, unused-ignore]

    async def _wait(self) -> dict[str, Any]:
        from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
        from airflow_provider_influx_rollup.windows.interval import Interval

        spec = CompletenessSpec.from_json(self.spec)
        interval = Interval(*(datetime.fromisoformat(self.interval[name]) for name in ("start", "stop")))
        deadline = datetime.fromisoformat(self.deadline)
        due = spec.due_at(interval)
        now = await self._clock()
        if now() < due:
            self.log.info("%s: asleep until %s, its stop + lateness", interval, due)
        # by the server's clock, which decides; the deadline is this machine's
        await sleep_until(min(due, deadline + (now() - timezone.utcnow())), now)
        looked_up: set[str] = set()
        while True:
            found = await self._look(spec, interval, looked_up)
            if found is not None:
                return {"status": "success", "result": found}
            moment = timezone.utcnow()
            if moment >= deadline:
                return {"status": "timeout", "window": self.interval, "deadline": self.deadline}
            await sleep_until(min(moment + timedelta(seconds=self.poke_interval_seconds), deadline))

    async def _clock(self) -> Callable[[], datetime]:
        """The server's clock; this machine's when the server cannot be asked.

        :raises InfluxRollupError: when it is permanent
        """
        try:
            client = await InfluxRollupHook(self.influx_conn_id, org=self.org).aget_conn()
            await asyncio.to_thread(client.now)
        except InfluxRollupError as error:
            if error.permanent:
                raise
            return timezone.utcnow
        return client.now

    async def _look(
        self, spec: CompletenessSpec, interval: Interval, looked_up: set[str]
    ) -> dict[str, Any] | None:
        """Poll once; None when the windows are not complete, or it is unknown.

        :raises InfluxRollupError: when it is permanent
        """
        from airflow_provider_influx_rollup.client.driver import adrive
        from airflow_provider_influx_rollup.lifecycle.completeness.completeness import check_windows

        try:
            client = await InfluxRollupHook(self.influx_conn_id, org=self.org).aget_conn()
            # asks the server where it has not told its time yet: not on the event loop
            await asyncio.to_thread(client.now)
            steps = check_windows(spec, interval, client.now, looked_up)
            found = await adrive(steps, client, self._report)
            return None if found is None else found.as_json()
        except InfluxRollupError as error:
            if error.permanent:
                raise
            self.log.warning("%s: cannot look, will try again: %s", interval, error)
            return None

    def _report(self, report: Report) -> None:
        log = self.log.warning if report.level == "warning" else self.log.info
        log("%s", report.message)


async def sleep_until(instant: datetime, now: Callable[[], datetime] = timezone.utcnow) -> None:
    """Sleep until an instant has passed, by a clock.

    :param instant: aware
    :param now: the clock; by default this machine's
    """
    while (seconds := (instant - now()).total_seconds()) > 0:  # noqa: ASYNC110 - waits for a time, not an event
        await asyncio.sleep(min(seconds, LONGEST_SLEEP_SECONDS))
