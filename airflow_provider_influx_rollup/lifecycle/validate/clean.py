"""Write the points that are right to the clean bucket, transformed, and nothing else of this validation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_influx_rollup.exceptions import ConfigurationError, InvalidName, PartialWrite
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.flux.source_read import FieldTotals
from airflow_provider_influx_rollup.flux.validate import SeriesLooks
from airflow_provider_influx_rollup.hashing import combine_checksums
from airflow_provider_influx_rollup.ledger.line_blocks import FieldValues, encode_rows
from airflow_provider_influx_rollup.ledger.line_protocol import encode_series
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Delete, Report, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.validation.points import Part, Points
from airflow_provider_influx_rollup.validation.rule import TagSet
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

NUMPY_TYPES: dict[str, type[np.generic]] = {"float": np.float64, "integer": np.int64}


@dataclass
class Cleaned:
    """Points as the clean bucket shall hold them.

    :param tables: of the new series and fields
    :param lost: points that line protocol cannot hold, or that have no value after a conversion
    :param merged: points that another one of the same series, field and time stands for
    """

    tag_sets: list[TagSet]
    tables: list[Points]
    lost: int = 0
    merged: int = 0

    def lines(self, measurement: str) -> list[str]:
        """Line protocol, one line for each series and time."""
        if not self.tables:
            return []
        times = np.unique(np.concatenate([table.time_ns for table in self.tables]))
        columns = {
            table.field: FieldValues(
                table.series, np.searchsorted(times, table.time_ns), table.values, table.kind == "unsigned"
            )
            for table in self.tables
        }
        return encode_rows(measurement, self.tag_sets, times.tolist(), columns)

    def counts(self) -> dict[tuple[TagSet, str], int]:
        """Points by series and field."""
        counts: dict[tuple[TagSet, str], int] = {}
        for table in self.tables:
            for series, count in zip(*np.unique(table.series, return_counts=True), strict=True):
                counts[self.tag_sets[int(series)], table.field] = int(count)
        return counts


@dataclass(kw_only=True)
class CleanWriter:
    """Writes part after part.

    :param numbers: number of each series of the clean bucket
    :param of_source: the new series of each source series; -1 where line protocol cannot hold it
    """

    spec: ValidateSpec
    tag_sets: list[TagSet] = field(default_factory=list)
    numbers: dict[TagSet, int] = field(default_factory=dict)
    of_source: list[int] = field(default_factory=list)
    written: int = 0
    lost: int = 0
    merged: int = 0
    checksum: str = ""

    def write(self, part: Part, wrong: Mapping[int, NDArray[Any]]) -> Steps[None]:
        """Make the clean bucket hold what is right of a part.

        :param wrong: the rows of each table that break a rule
        :raises PartialWrite: when points are missing after all
        """
        cleaned = self.transform(part, wrong)
        self.lost += cleaned.lost
        self.merged += cleaned.merged
        self.written += sum(len(table) for table in cleaned.tables)
        found = (table.checksum(cleaned.tag_sets) for table in cleaned.tables)
        self.checksum = combine_checksums([self.checksum, *found])
        lines = cleaned.lines(self.spec.output_measurement)
        if lines:
            yield from ask(Write(str(self.spec.clean_bucket), lines))
        yield from self._settle(part.interval, cleaned, lines)

    def transform(self, part: Part, wrong: Mapping[int, NDArray[Any]]) -> Cleaned:
        """Points that the clean bucket must hold of a part."""
        for tags in part.registry.tag_sets[len(self.of_source) :]:
            self.of_source.append(self._number(tags))
        cleaned = Cleaned(self.tag_sets, [])
        places = np.array(self.of_source, np.int64)
        order = self._order(part.registry.tag_sets)
        by_field: dict[str, list[Points]] = defaultdict(list)
        for index, table in enumerate(part.tables):
            kept = table.where(~wrong[index]) if index in wrong else table
            if order is not None:
                kept = kept.where(np.argsort(order[kept.series], kind="stable"))
            changed = self._changed(kept, places)
            cleaned.lost += len(kept) - len(changed)
            if len(changed):
                by_field[changed.field].append(changed)
        for pieces in by_field.values():
            table = _joined(pieces, part.interval)
            cleaned.merged += sum(map(len, pieces)) - len(table)
            cleaned.tables.append(table)
        return cleaned

    def _order(self, tag_sets: Sequence[TagSet]) -> NDArray[np.int64] | None:
        """The order of series that become one, whatever was read before; None when none do."""
        held = [number for number in self.of_source if number >= 0]
        if len(set(held)) == len(held):
            return None
        ranks = np.empty(len(tag_sets), np.int64)
        ranks[sorted(range(len(tag_sets)), key=lambda number: tag_sets[number])] = np.arange(len(tag_sets))
        return ranks

    def _number(self, tags: TagSet) -> int:
        for change in self.spec.transformations:
            tags = change.tags(tags)
        if tags not in self.numbers:
            try:
                encode_series(self.spec.output_measurement, dict(tags), [])
            except InvalidName:
                self.numbers[tags] = -1
            else:
                self.numbers[tags] = len(self.tag_sets)
                self.tag_sets.append(tags)
        return self.numbers[tags]

    def _changed(self, table: Points, places: NDArray[np.int64]) -> Points:
        name, kind, values = table.field, table.kind, table.values
        for change in self.spec.transformations:
            values, kind, name = (
                change.values(name, kind, values),
                change.kind(name, kind),
                change.field_name(name),
            )
        series = places[table.series]
        keep = series >= 0
        if values.dtype == object and kind in NUMPY_TYPES:
            keep &= np.fromiter((value is not None for value in values.tolist()), bool, len(values))
            values = np.array(
                [value if value is not None else 0 for value in values.tolist()], NUMPY_TYPES[kind]
            )
        if values.dtype.kind == "f":
            keep &= np.isfinite(values)
        return Points(
            field=name, kind=kind, series=series[keep], time_ns=table.time_ns[keep], values=values[keep]
        )

    def _settle(self, interval: Interval, cleaned: Cleaned, lines: Sequence[str]) -> Steps[None]:
        """Remove what an earlier validation wrote and this one does not."""
        wanted: dict[str, int] = {table.field: len(table) for table in cleaned.tables}
        stored = yield from self._totals(interval)
        if stored == wanted:
            return
        bucket, expected = str(self.spec.clean_bucket), cleaned.counts()
        counted = yield from self._counts(interval, self._target())
        stale = {tags for (tags, name), count in counted.items() if count > expected.get((tags, name), 0)}
        if stale:
            yield from ask(
                Report(
                    f"Removing points of {len(stale)} series from {bucket} that the source no longer explains"
                )
            )
        others = (yield from self._others(interval, counted)) if stale else []
        for tags in sorted(stale):
            keys = _keys_of_more(tags, others)
            yield from ask(Delete(bucket, interval, self.spec.output_measurement, dict(tags), lacking=keys))
        if stale and lines:
            # a delete takes series with more tags along, so all are written again
            yield from ask(Write(bucket, lines))
        if (yield from self._totals(interval)) != wanted:
            what = f"bucket {bucket!r} does not hold what was written"
            fix = "run it again; is somebody else writing to the same measurement?"
            raise PartialWrite(what, window=interval, written="the clean points in part", fix=fix)

    def _others(self, interval: Interval, own: Iterable[tuple[TagSet, str]]) -> Steps[list[TagSet]]:
        """The series of the measurement that other validations have written."""
        if not self.spec.tags:
            return []
        everything = RollupSource(str(self.spec.clean_bucket), self.spec.output_measurement, {})
        there = yield from self._counts(interval, everything)
        return sorted({tags for tags, _ in there} - {tags for tags, _ in own})

    def _target(self) -> RollupSource:
        """The part of the clean bucket that belongs to this validation: its own tag filter, transformed."""
        mapped: dict[str, list[str]] = defaultdict(list)
        for key, values in self.spec.tags.items():
            for value in values:
                tags: TagSet = ((key, value),)
                for change in self.spec.transformations:
                    tags = change.tags(tags)
                for new_key, new_value in tags:
                    mapped[new_key].append(new_value)
        chosen = {key: tuple(values) for key, values in mapped.items()}
        return RollupSource(str(self.spec.clean_bucket), self.spec.output_measurement, chosen)

    def _totals(self, interval: Interval) -> Steps[dict[str, int]]:
        return (yield from ask(FieldTotals(self._target(), interval)))

    def _counts(self, interval: Interval, source: RollupSource) -> Steps[dict[tuple[TagSet, str], int]]:
        counts: dict[tuple[TagSet, str], int] = defaultdict(int)
        for frame in (yield from ask(SeriesLooks(source, [("count", interval, "0")]))):
            for series, name, count in zip(
                frame.series.tolist(), frame.field.tolist(), frame.values.tolist(), strict=True
            ):
                counts[frame.tag_sets[series], frame.fields[name]] += count
        return counts


def _keys_of_more(tags: TagSet, others: Iterable[TagSet]) -> tuple[str, ...]:
    """The keys by which others have more tags than a series: a delete of it by its tags alone would take them along."""
    more = (set(one) - set(tags) for one in others if set(tags) < set(one))
    return tuple(sorted({key for keys in more for key, _ in keys}))


def _joined(pieces: Sequence[Points], interval: Interval) -> Points:
    """One table of several, in which each series has one value at a time: the first of those given."""
    kinds = sorted({piece.kind for piece in pieces})
    if len(kinds) > 1:
        what = f"field {pieces[0].field!r} would be {' and '.join(kinds)} in the clean bucket"
        fix = "add convert_field to the transformations"
        raise ConfigurationError(what, window=interval, fix=fix)
    series, time_ns, values = (
        np.concatenate([getattr(piece, name) for piece in pieces]) for name in ("series", "time_ns", "values")
    )
    order = np.lexsort((time_ns, series))
    table = Points(
        field=pieces[0].field,
        kind=kinds[0],
        series=series[order],
        time_ns=time_ns[order],
        values=values[order],
    )
    return table.first_of_each_time()
