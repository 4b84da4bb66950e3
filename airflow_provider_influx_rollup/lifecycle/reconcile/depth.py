"""Depth of a comparison: columns that are recomputed for every window, and those only where something differs.

The fingerprint of a row are its count, sum, min, max, first and last. InfluxDB recomputes them without reading a raw point
into the worker. What is computed from the raw points is no function of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from airflow_provider_influx_rollup.aggregates.catalog import Source, find_aggregate
from airflow_provider_influx_rollup.aggregates.selection import Column
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.lifecycle.target.compare import Closeness

FINGERPRINT = ("count", "sum", "min", "max", "first", "last")
COUNT = find_aggregate("count")


@dataclass(frozen=True, slots=True)
class Depth:
    """Columns that the first read of a block recomputes.

    :param columns: what is computed; a count that is not stored may be among them
    :param closeness: the stored columns that are compared, and how equal they have to be
    :param later: fields whose other columns are recomputed only for the rows that differ
    """

    columns: tuple[Column, ...]
    closeness: Mapping[str, Closeness]
    later: tuple[str, ...] = field(default=())

    def job(self, job: RollupBlock) -> RollupBlock:
        """The job of the first read."""
        return replace(job, columns=self.columns)


def depth_of(job: RollupBlock, strict: bool | None) -> Depth:
    """Choose what is recomputed.

    :param strict: True recomputes everything; False only what InfluxDB aggregates itself; None does so for the fields
        whose count, sum, min, max, first and last are all stored
    """
    columns: list[Column] = []
    closeness: dict[str, Closeness] = {}
    later: list[str] = []
    for name in job.fields:
        stored = job.columns_of(name)
        if is_deep(job.spec, stored, strict):
            columns += stored
            closeness |= {column.name: Closeness.BITS for column in stored}
            continue
        later.append(name)
        pushed = [column for column in stored if column.aggregate.source is Source.PUSHED]
        closeness |= _closeness(job, pushed)
        if all(column.aggregate is not COUNT for column in pushed):
            # how many points there are decides, even where it is not stored
            pushed.append(Column(field=name, field_type="integer", aggregate=COUNT))
        columns += pushed
    return Depth(tuple(columns), closeness, tuple(later))


def whole_depth(job: RollupBlock) -> Depth:
    """Everything is recomputed."""
    return Depth(job.columns, {column.name: Closeness.BITS for column in job.columns})


def is_deep(spec: RollupSpec, stored: Sequence[Column], strict: bool | None) -> bool:
    """Whether all columns of a field are recomputed at once."""
    names = {column.aggregate.name for column in stored}
    has_raw = any(column.aggregate.source is Source.RAW for column in stored)
    if not has_raw or strict or spec.source_tier is not None:
        return True
    return strict is None and not names >= set(FINGERPRINT)


def _closeness(job: RollupBlock, pushed: Sequence[Column]) -> dict[str, Closeness]:
    """InfluxDB recomputes here what the worker may have computed from the raw points."""
    merges = job.spec.group_by is not None or job.spec.grid.period is not None
    if job.spec.compute == "server" and not merges:
        return {column.name: Closeness.BITS for column in pushed}
    found: dict[str, Closeness] = {}
    has_bound = {"count", "min", "max"} <= {column.aggregate.name for column in pushed}
    for column in pushed:
        name, is_float = column.aggregate.name, column.field_type == "float"
        if name in ("min", "max"):
            found[column.name] = Closeness.VALUE
        elif name == "sum" and is_float:
            if has_bound:
                found[column.name] = Closeness.ROUNDED
        elif name != "mean":
            found[column.name] = Closeness.BITS
    return found
