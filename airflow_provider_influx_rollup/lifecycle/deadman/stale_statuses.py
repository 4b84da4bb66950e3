"""Remove statuses that a check says no more, and none of another task's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_influx_rollup.flux.deadman import STATUS_MEASUREMENT, WholeStatuses, WrittenStatus
from airflow_provider_influx_rollup.flux.series import Series
from airflow_provider_influx_rollup.lifecycle.deadman.checking_task import CheckingTask
from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec
from airflow_provider_influx_rollup.lifecycle.statuses.check_status import write_again
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Delete
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True, slots=True)
class _Removals:
    """Deletes of a level and tags, each of which takes series with more tags as well."""

    deleted: frozenset[tuple[str, Series]]
    key_sets: frozenset[frozenset[str]]

    @classmethod
    def of(cls, stale: Sequence[WrittenStatus], others: Sequence[WrittenStatus]) -> _Removals:
        """One for each level that is only the task's own, else one for each series."""
        shared = {one.level for one in others}
        deleted = frozenset((one.level, one.series if one.level in shared else ()) for one in stale)
        return cls(deleted, frozenset(frozenset(dict(series)) for _, series in deleted))

    def take(self, status: WrittenStatus) -> bool:
        # by the tags that the deletes name: to compare each status with each delete takes seconds for thousands
        return any(
            (status.level, tuple(tag for tag in status.series if tag[0] in keys)) in self.deleted
            for keys in self.key_sets
        )


def remove_stale(
    spec: DeadmanSpec,
    task: CheckingTask,
    instant: Interval,
    stale: Sequence[WrittenStatus],
    others: Sequence[WrittenStatus],
) -> Steps[None]:
    """Delete statuses of the task, and write again what the deletes take of other tasks.

    :param instant: the statuses' time alone, UTC
    :param stale: what is deleted; the task's own statuses of their levels may go as well
    :param others: what other tasks have written
    """
    removals, saved = _Removals.of(stale, others), []
    if any(map(removals.take, others)):
        whole = yield from ask(WholeStatuses(spec.status_bucket, spec.check.id, instant))
        saved = [one for one in whole if task.is_other(one.told) and removals.take(one.told)]
    for level, series in sorted(removals.deleted):
        tags = {"_check_id": spec.check.id, "_level": level, **dict(series)}
        yield from ask(Delete(spec.status_bucket, instant, STATUS_MEASUREMENT, tags))
    if saved:
        yield from ask(write_again(spec.status_bucket, saved, instant.start))
