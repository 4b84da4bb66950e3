"""The points of a batch that lie in an interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_influx_rollup.windows.interval import Interval


def points_inside(batch: pa.RecordBatch, interval: Interval) -> pa.RecordBatch:
    """Points of ``[start, stop)``.

    :param batch: with ``_time``
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    times = batch.column("_time").cast(pa.int64())
    bounds = pc.min_max(times).as_py()
    if batch.num_rows and bounds["min"] >= interval.start_ns and bounds["max"] < interval.stop_ns:
        return batch
    inside = pc.and_(pc.greater_equal(times, interval.start_ns), pc.less(times, interval.stop_ns))
    return batch.filter(inside)
