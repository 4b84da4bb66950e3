"""Queries over the schema of a source."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_provider_influx_rollup.flux.rollup import RollupSource, render_source
from airflow_provider_influx_rollup.windows.interval import Interval

TAGS, FIELDS = "tags", "fields"
#: tag keys that the server lists for every source; a tag of such a name comes a second time
OF_EVERY_SOURCE = ("_start", "_stop", "_field", "_measurement")
ALL_TYPES = ("boolean", "float", "integer", "string", "unsigned")
# what 64 bits of nanoseconds reach, in whole seconds
ALWAYS = Interval(datetime(1677, 9, 21, 0, 12, 44, tzinfo=UTC), datetime(2262, 4, 11, 23, 47, 16, tzinfo=UTC))


def tag_keys_query(source: RollupSource, interval: Interval) -> str:
    """One row for each tag key, from the index; InfluxDB's own columns such as ``_field`` are among them."""
    return (
        f'{render_source(source, interval)}\n  |> keys()\n  |> keep(columns: ["_value"])\n'
        '  |> distinct(column: "_value")'
    )


def keys_query(bucket: str, measurement: str) -> str:
    """All tag keys and field names of a measurement, from the index."""
    source = RollupSource(bucket, measurement, {})
    return (
        f'{tag_keys_query(source, ALWAYS)}\n  |> yield(name: "{TAGS}")\n\n'
        f'{render_source(source, ALWAYS)}\n  |> keep(columns: ["_field"])\n  |> group()\n'
        f'  |> distinct(column: "_field")\n  |> yield(name: "{FIELDS}")'
    )
