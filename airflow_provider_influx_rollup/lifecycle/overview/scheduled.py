"""The DAG that rolls a pipeline up, and how long the data intervals of its runs are, by what its newest windows say."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from airflow_provider_influx_rollup.flux.pipeline_runs import WrittenWindow
from airflow_provider_influx_rollup.lifecycle.run.reasons import RECONCILE
from airflow_provider_influx_rollup.windows.interval import Interval

# runs by hand may be about any time
_BY_SCHEDULE = ("scheduled__", "backfill__")
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A DAG and its runs.

    :param length: of the windows that most runs of the schedule wrote; None when it is not known
    """

    dag_id: str
    length: timedelta | None

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
        return cls(dag_id, _usual_length(one for one in own if one.dag_id == dag_id))

    def logical_dates(self, wanted: Interval) -> Interval:
        """The logical dates whose data intervals touch an interval: those of runs that begin before it, too.

        :param wanted: of whole windows
        :return: both ends are dates of runs
        """
        start, last = wanted.start, wanted.stop - _SECOND
        if self.length is not None:
            # no run begins in this time when the range begins with one
            start -= self.length - _SECOND
        return Interval(start, last)


def _usual_length(windows: Iterable[WrittenWindow]) -> timedelta | None:
    runs = defaultdict(list)
    for one in windows:
        if one.run_id.startswith(_BY_SCHEDULE):
            runs[one.run_id].append(one.window)
    lengths = Counter(max(w.stop for w in run) - min(w.start for w in run) for run in runs.values())
    return max(lengths, key=lambda length: (lengths[length], length), default=None)
