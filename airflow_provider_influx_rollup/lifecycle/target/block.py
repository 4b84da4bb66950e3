"""A block of windows of one rollup: what it reads, computes and owns in the target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from airflow_provider_influx_rollup.aggregates.catalog import Source
from airflow_provider_influx_rollup.aggregates.frame import TagSet
from airflow_provider_influx_rollup.aggregates.selection import Column
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.lifecycle.pipeline.claims import Ownership
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import AUTO, RollupSpec
from airflow_provider_influx_rollup.windows.equal_runs import EqualRun, equal_runs
from airflow_provider_influx_rollup.windows.interval import Interval

# how many plain points take as much memory: a point makes five characters of a sketch's text, a sketch has up to 4,000
POINTS_PER_SKETCHED_POINT = 10
POINTS_PER_SKETCH = 100
# a tag of which more values are wanted is not worth a filter
MAX_TAG_VALUES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupBlock:
    """A block of windows of one rollup.

    :param windows: in ascending order
    :param cells: the tumbling windows that are read, in ascending order; the windows themselves unless they slide
    :param columns: what is computed
    :param ownership: which values of the target are the pipeline's
    :param found_below: the pipeline that a tier's ``"auto"`` has found; blocks with columns know it by these
    """

    spec: RollupSpec
    windows: tuple[Interval, ...]
    cells: tuple[Interval, ...]
    columns: tuple[Column, ...]
    ownership: Ownership
    found_below: str | None = None

    @property
    def source(self) -> RollupSource:
        """The place of the points."""
        return RollupSource(self.spec.source_bucket, self.spec.measurement, self.spec.tags)

    @property
    def span(self) -> Interval:
        """From the first window's start to the last one's stop."""
        return Interval.spanning_ordered(self.windows)

    @property
    def read_interval(self) -> Interval:
        """The part of the source to read."""
        return Interval.spanning_ordered(self.cells)

    @property
    def target_interval(self) -> Interval:
        """The interval of these windows' rows: their starts, which sliding windows share with no later window."""
        return Interval.of_starts(self.windows)

    @property
    def runs(self) -> list[EqualRun]:
        """The cells as runs that one query each can compute."""
        return equal_runs(self.cells)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the source that are read."""
        return tuple(dict.fromkeys(source for column in self.columns for source in column.sources))

    @property
    def tier_below(self) -> str | None:
        """The pipeline that writes the source, when the job merges another tier; a block without points may not know it."""
        if self.columns:
            return self.columns[0].tier_below
        return self.found_below if self.spec.source_tier == AUTO else self.spec.source_tier

    def columns_of(self, field: str) -> tuple[Column, ...]:
        """The columns computed from one field, or first of all from it."""
        return tuple(column for column in self.columns if column.sources[0] == field)

    def fields_by_way(self) -> tuple[list[str], list[str], list[str]]:
        """Fields computed in InfluxDB, from raw points in the worker, from partial aggregates in the worker.

        A field goes one way as a whole, so that its columns come from one and the same read where they can. Those of
        a tier over a tier go another way, see ``tier_compute.py``.
        """
        in_influx: list[str] = []
        from_raw: list[str] = []
        from_parts: list[str] = []
        if self.spec.source_tier is not None:
            return [], [], []
        merges = self.spec.group_by is not None or self.spec.grid.period is not None
        for field in self.fields:
            has_raw = any(column.aggregate.source is Source.RAW for column in self.columns_of(field))
            if has_raw and (merges or self.spec.compute == "auto"):
                from_raw.append(field)
            elif merges:
                from_parts.append(field)
            else:
                in_influx.append(field)
        return in_influx, from_raw, from_parts


def tags_of_few(only: Iterable[TagSet]) -> dict[str, tuple[str, ...]]:
    """A tag filter that keeps some series, and not many more."""
    chosen = [dict(tags) for tags in only]
    keys = sorted({key for tags in chosen for key in tags})
    values = {key: tuple(sorted({tags.get(key, "") for tags in chosen})) for key in keys}
    return {key: some for key, some in values.items() if len(some) <= MAX_TAG_VALUES}


def weighed_points(columns: Iterable[Column], totals: Mapping[str, int]) -> int:
    """Points from which columns are computed; those that make or are sketches weigh more.

    :param totals: how many points or rows each field of the source has
    """
    weights: dict[str, int] = {}
    for column in columns:
        weight = 1
        if column.aggregate.sketch is not None:
            weight = POINTS_PER_SKETCH if column.parts else POINTS_PER_SKETCHED_POINT
        for source in column.sources:
            weights[source] = max(weight, weights.get(source, 0))
    return sum(totals.get(source, 0) * weight for source, weight in weights.items())
