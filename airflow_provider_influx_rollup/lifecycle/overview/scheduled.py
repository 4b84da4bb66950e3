"""The DAG that rolls a pipeline up, and how long the data intervals of its runs are, by what its newest windows say."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_influx_rollup.flux.pipeline_runs import WrittenWindow
from airflow_provider_influx_rollup.lifecycle.run.reasons import RECONCILE
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval

# runs by hand may be about any time
_BY_SCHEDULE = ("scheduled__", "backfill__")
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A DAG and its runs.

    :param length: of the windows that most runs of the schedule wrote; None when it is not known
    :param is_dated_at_stop: whether the dates of most of them are where their windows stop, as with a trigger timetable
    """

    dag_id: str
    length: timedelta | None
    is_dated_at_stop: bool = False

    @classmethod
    def of(cls, windows: Sequence[WrittenWindow]) -> Scheduled | None:
        """What the newest windows say; None when a reconcile alone wrote them.

        :param windows: by their start
        """
        # a reconcile may be of another DAG
        own = [one for one in windows if not one.reason.startswith(RECONCILE)]
        if not own:
            return None
        dag_id = own[-1].dag_id
        runs = _runs(one for one in own if one.dag_id == dag_id)
        lengths = Counter(run.stop - run.start for run in runs.values())
        length = max(lengths, key=lambda length: (lengths[length], length), default=None)
        at_stop = sum(_date_of(run_id) == run.stop for run_id, run in runs.items())
        return cls(dag_id, length, 2 * at_stop > len(runs))

    def logical_dates(self, wanted: Interval, grid: Grid, *, is_three: bool) -> Interval:
        """The logical dates of the runs whose windows touch an interval: those of runs that begin before it, too.

        :param wanted: of whole windows
        :param grid: of the windows; where intervals of a fixed length begin with a backfill, they must begin on it
        :param is_three: whether run ids have the date that runs begin after, as on Airflow 3, which says nothing here
        :return: both ends may be dates of runs
        """
        start, last = wanted.start, wanted.stop - _SECOND
        if self.length is None:
            return Interval(start, last)
        if self.is_dated_at_stop and not is_three:
            return Interval(grid.ceil(start + _SECOND), last + self.length)
        # no run begins in this time when the range begins with one
        return Interval(grid.ceil(start - self.length + _SECOND), last)


def _runs(windows: Iterable[WrittenWindow]) -> dict[str, Interval]:
    """What each run of the schedule wrote, by its id."""
    runs = defaultdict(list)
    for one in windows:
        if one.run_id.startswith(_BY_SCHEDULE):
            runs[one.run_id].append(one.window)
    return {run_id: Interval.spanning(written) for run_id, written in runs.items()}


def _date_of(run_id: str) -> datetime | None:
    """The date in the id of a run; None where somebody's own timetable names runs in another way."""
    try:
        return datetime.fromisoformat(run_id.partition("__")[2])
    except ValueError:
        return None
