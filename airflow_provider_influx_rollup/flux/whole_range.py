"""An aggregate over a whole range, in a form that the server survives.

InfluxDB pushes a bare ``count()``, ``sum()`` or ``mean()`` down as one endless window that begins in 1970. A range that
ends by then lies before it: the answer never ends, and the server's memory with it. A window of its own ends.
"""

from __future__ import annotations

from typing import Literal

from airflow_provider_influx_rollup.windows.equal_runs import equal_runs
from airflow_provider_influx_rollup.windows.interval import EPOCH, Interval
from airflow_provider_influx_rollup.windows.rfc3339 import INT64_MAX

WholeRangeFunction = Literal["count", "sum", "mean"]


def render_aggregate(interval: Interval, function: WholeRangeFunction) -> str:
    """One row for each series and field, computed in the storage engine; it comes right after ``from |> range |> filter``.

    ``_start`` and ``_stop`` are the interval's own, also before 1970; only a range of more than 292 years is told to begin there.

    :param interval: the interval of the range
    """
    call = f"  |> {function}()"
    # no duration is longer, and a range that long ends after 1970
    if interval.start >= EPOCH or interval.stop_ns - interval.start_ns > INT64_MAX:
        return call
    (run,) = equal_runs([interval])
    return f"  |> window(every: {run.every_ns}ns, offset: {run.offset_ns}ns)\n{call}"
