"""All the time that InfluxDB can hold."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_provider_influx_rollup.windows.interval import Interval

#: all that InfluxDB can hold, to the second
EVER = Interval(datetime(1677, 9, 21, 0, 12, 44, tzinfo=UTC), datetime(2262, 4, 11, 23, 47, 16, tzinfo=UTC))
