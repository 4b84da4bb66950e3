"""The columns of a measurement in an interval: tags, and fields with their types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.flux.source_read import FieldTypes
from airflow_provider_influx_rollup.flux.source_schema import OF_EVERY_SOURCE, TagKeys
from airflow_provider_influx_rollup.lifecycle.source.field_types import TYPE_OF_KIND
from airflow_provider_influx_rollup.steps.ask import gather

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lineage.datasets import Measurement
    from airflow_provider_influx_rollup.steps.step import Steps
    from airflow_provider_influx_rollup.windows.interval import Interval

TIME = "_time"


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    :param kind: its type, as InfluxDB calls it
    :param role: ``"time"``, ``"tag"`` or ``"field"``
    """

    name: str
    kind: str
    role: str


def columns_of(place: Measurement, interval: Interval) -> Steps[tuple[Column, ...]]:
    """Look the columns of a measurement up, by two small reads; none when it has no points in the interval.

    :raises InfluxError: when the server refuses or cannot be reached
    """
    source = RollupSource(place.bucket, place.measurement or "", {})
    frames, keys = yield from gather(FieldTypes(source, [interval]), TagKeys(source, interval))
    types = {name: TYPE_OF_KIND[frame.values.dtype.kind] for frame in frames for name in frame.fields}
    if not types:
        return ()
    tags = sorted(set(keys) - {*OF_EVERY_SOURCE, "_time", "_value"})
    return (
        Column(TIME, "time", "time"),
        *(Column(tag, "string", "tag") for tag in tags),
        *(Column(name, kind, "field") for name, kind in sorted(types.items())),
    )
