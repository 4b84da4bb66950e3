"""What was said of each series before: by the task that checks, and by others that check under the same name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_influx_rollup.flux.deadman import LastStatuses, WrittenStatus
from airflow_provider_influx_rollup.flux.series import Series
from airflow_provider_influx_rollup.lifecycle.deadman.checking_task import CheckingTask
from airflow_provider_influx_rollup.lifecycle.deadman.spec import RETIRED_LEVEL, DeadmanSpec, Spans
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True)
class SaidBefore:
    """The last statuses before an interval's stop.

    :param levels: of each series
    :param of_others: series that others may judge now: the task does not retire them
    :param has_others: whether another task has judged since the task did
    """

    levels: Mapping[Series, str]
    of_others: frozenset[Series]
    has_others: bool


def read_said_before(
    spec: DeadmanSpec, task: CheckingTask, interval: Interval, spans: Spans
) -> Steps[SaidBefore]:
    """Read what was said before an interval's stop.

    :param interval: what is evaluated
    """
    before = Interval(spans.earlier.start, interval.stop)
    statuses = yield from ask(LastStatuses(spec.status_bucket, spec.check.id, before))
    return said_before(spec, task, interval.start, statuses)


def said_before(
    spec: DeadmanSpec, task: CheckingTask, last_stop: datetime, statuses: Iterable[WrittenStatus]
) -> SaidBefore:
    """Tell statuses apart by who wrote them.

    :param last_stop: when the task judged last, if it judges one interval after the other
    :param statuses: the last of each series and level
    """
    own: dict[Series, WrittenStatus] = {}
    others: dict[Series, WrittenStatus] = {}
    last_of_others: list[datetime] = []
    for status in sorted(statuses, key=lambda one: one.time, reverse=True):
        if not task.is_other(status):
            own.setdefault(status.series, status)
            continue
        last_of_others.append(status.time)
        if status.level in (spec.level, spec.ok_level, RETIRED_LEVEL):
            others.setdefault(status.series, status)
    judged_last = max((one.time for one in own.values()), default=None)
    newer = {series for series, one in others.items() if series not in own or own[series].time < one.time}
    # what another has said since the task judged last is no change of what the task says itself
    still_own = {series for series, one in own.items() if one.time >= last_stop}
    latest = own | {series: others[series] for series in newer - still_own}
    if task.is_mapped:
        # the numbers of mapped tasks may have shifted: after one run more it shows whether another one has a series now
        newer |= {series for series, one in own.items() if one.time == judged_last}
    return SaidBefore(
        {series: status.level for series, status in latest.items()},
        frozenset(newer),
        judged_last is not None and max(last_of_others, default=judged_last) > judged_last,
    )
