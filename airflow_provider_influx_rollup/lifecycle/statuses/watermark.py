"""How far a pipeline is behind, as a status: an alarm when it is late, and one recovery when it no longer is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_influx_rollup.flux.series import Series, series_of
from airflow_provider_influx_rollup.flux.watermark import CommittedUpTo
from airflow_provider_influx_rollup.ledger.default_bucket import DEFAULT_LEDGER_BUCKET
from airflow_provider_influx_rollup.lifecycle.statuses.check_status import Check
from airflow_provider_influx_rollup.lifecycle.statuses.task_alarm import OK, tell_status
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

#: how far back committed windows are looked for
LOOKBACK = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatermarkSpec:
    """What is looked at.

    :param within: how long ago the last committed window may have ended, a Flux duration
    :param level: of the alarm: ``crit``, ``warn`` or ``info``
    """

    pipeline: str
    within: str
    level: str = "crit"
    status_bucket: str = "_monitoring"
    ledger_bucket: str = DEFAULT_LEDGER_BUCKET

    @property
    def check(self) -> Check:
        """One check for each pipeline."""
        return Check(f"watermark {self.pipeline}", "watermark", "custom")

    @property
    def series(self) -> Series:
        """The tags of its statuses."""
        return series_of({"pipeline": self.pipeline})


def tell_watermark(spec: WatermarkSpec, now: datetime) -> Steps[str | None]:
    """Write an alarm when a pipeline is late, and ``ok`` when it is not and was.

    :param now: the present time
    :return: the alarm's message; None when the pipeline is not late
    """
    within = Duration.of(spec.within).timedelta
    last = yield from ask(CommittedUpTo(spec.ledger_bucket, spec.pipeline, Interval(now - LOOKBACK, now)))
    if last is not None and now - last <= within:
        message = f"{spec.pipeline} is COMMITTED up to {format_instant(last)}"
        yield from tell_status(spec.status_bucket, spec, OK, message, now)
        return None
    told = "no window of it is COMMITTED" if last is None else f"it is COMMITTED up to {format_instant(last)}"
    message = f"{spec.pipeline} is more than {spec.within} behind: {told}"
    yield from tell_status(spec.status_bucket, spec, spec.level, message, now)
    return message
