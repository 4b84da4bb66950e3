"""The points of a batch that lie in an interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_influx_rollup.windows.interval import Interval

# what 64 bits can hold; nothing in InfluxDB is outside
FIRST_NS, LAST_NS = -(2**63), 2**63 - 1


def points_inside(batch: pa.RecordBatch, interval: Interval) -> pa.RecordBatch:
    """Points of ``[start, stop)``.

    :param batch: with ``_time``
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    times = batch.column("_time").cast(pa.int64())
    bounds = pc.min_max(times).as_py()
    start, stop = (max(FIRST_NS, min(bound, LAST_NS)) for bound in (interval.start_ns, interval.stop_ns))
    if batch.num_rows and bounds["min"] >= start and bounds["max"] < stop:
        return batch
    inside = pc.and_(pc.greater_equal(times, start), pc.less(times, stop))
    return batch.filter(inside)
