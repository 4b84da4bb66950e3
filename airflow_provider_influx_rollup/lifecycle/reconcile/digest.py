"""Find the windows that may be dirty, by digests of whole columns: equal digests mean equal rows, to the last bit.

Nothing is decoded and nothing is kept, so that a clean sweep of any length takes the worker no memory and little time.
Where a digest differs, the time is cut into parts until they are small enough to be compared row by row; there it is
decided what is dirty, never here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from airflow_provider_influx_rollup.aggregates.catalog import Source
from airflow_provider_influx_rollup.aggregates.selection import Column
from airflow_provider_influx_rollup.flux.column_read import RecomputedColumn, StoredColumn
from airflow_provider_influx_rollup.flux.rollup import Chain
from airflow_provider_influx_rollup.flux.target_read import TargetTotals
from airflow_provider_influx_rollup.lifecycle.target.block import RollupBlock
from airflow_provider_influx_rollup.steps.ask import ask, gather
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.equal_runs import equal_runs
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.runs import cut_blocks, stretches

# rows of one column that the server holds at a time
MAX_ROWS_PER_DIGEST = 1_000_000
PARTS = 4
# more stretches than this between windows that differ are not worth a digest each
MAX_STRETCHES = 8

Windows = tuple[Interval, ...]


def can_digest(job: RollupBlock) -> bool:
    """Whether both sides of every column can be read alike: InfluxDB has computed each of them, series by series."""
    spec = job.spec
    merges = spec.group_by is not None or spec.grid.period is not None or spec.source_tier is not None
    has_raw = any(column.aggregate.source is Source.RAW for column in job.columns)
    return bool(job.columns) and not merges and not has_raw and not job.ownership.earlier


@dataclass(frozen=True, slots=True)
class DigestSearch:
    """The search for windows that may be dirty.

    :param job: of neighbouring windows
    :param rows_per_window: how many rows a column has in a window, at most
    :param small: number of windows that are compared row by row at once
    :param values: how many values the windows have by their receipts
    """

    job: RollupBlock
    rows_per_window: int
    small: int
    values: int

    def suspects(self) -> Steps[list[Windows]]:
        """Runs of neighbouring windows that are to be compared row by row, in order."""
        windows = self.job.windows
        stored = yield from self._stored_values()
        if stored.keys() - {column.name for column in self.job.columns}:
            return [windows]  # fields of the pipeline that the source has no column for
        most = max(1, MAX_ROWS_PER_DIGEST // max(1, self.rows_per_window))
        columns = sorted(self.job.columns, key=_telling_first)
        found: list[Windows] = []
        for chunk in cut_blocks(windows, most):
            found += yield from self._search(chunk, columns)
        if not found and sum(stored.values()) != self.values:
            # rows under several series keys equal what the keys of the source give one by one
            return [windows]
        return sorted(found)

    def _stored_values(self) -> Steps[dict[str, int]]:
        """Number of values in the target for each field of the pipeline."""
        job = self.job
        stored = yield from ask(
            TargetTotals(
                bucket=job.spec.target_bucket,
                measurement=job.spec.output_measurement,
                interval=job.target_interval,
                aggregate_names=job.ownership.aggregate_names(),
                tags=job.ownership.tags(),
            )
        )
        return {name: count for name, count in stored.rows.items() if job.ownership.owns_field(name)}

    def _search(self, windows: Windows, columns: Sequence[Column]) -> Steps[list[Windows]]:
        """Parts of some windows that differ in a column, not in order.

        :param columns: the other ones are known to be equal
        """
        for number, column in enumerate(columns, start=1):
            if not (yield from self._differs(windows, column)):
                continue
            found = yield from self._locate(windows, column)
            located = {window for part in found for window in part}
            rest = stretches(windows, [window for window in windows if window not in located])
            if len(rest) > MAX_STRETCHES:
                return [windows]
            for stretch in rest:
                found += yield from self._search(stretch, columns[number:])
            return found
        return []

    def _locate(self, windows: Windows, column: Column) -> Steps[list[Windows]]:
        """The small parts of some windows in which a column differs, which it does in the whole."""
        if len(windows) <= self.small:
            return [windows]
        differing: list[Windows] = []
        parts = cut_blocks(windows, ceil(len(windows) / PARTS))
        for part in parts:
            if (yield from self._differs(part, column)):
                differing.append(part)  # noqa: PERF401 - a comprehension cannot yield
        if 2 * len(differing) > len(parts):
            return differing  # to cut further would cost more than it saves
        found: list[Windows] = []
        for part in differing:
            found += yield from self._locate(part, column)
        return found

    def _differs(self, windows: Windows, column: Column) -> Steps[bool]:
        """Whether a column of some windows is stored otherwise than the source gives it."""
        one, other = yield from gather(*digest_queries(self.job, windows, column))
        return one != other


def digest_queries(
    job: RollupBlock, windows: Windows, column: Column
) -> tuple[RecomputedColumn, StoredColumn]:
    """A column of some windows as the source gives it, and as it is stored."""
    runs = equal_runs(windows)
    chain = Chain(field=column.field, flux_function=column.aggregate.flux, is_pushed=True, column=column.name)
    stored = StoredColumn(
        bucket=job.spec.target_bucket,
        measurement=job.spec.output_measurement,
        column=column.name,
        intervals=[Interval.of_starts(run.windows) for run in runs],
        tags=job.ownership.tags(),
    )
    return RecomputedColumn(job.source, chain, runs), stored


def _telling_first(column: Column) -> tuple[bool, str]:
    """Counts first: most of what happens changes them."""
    return column.aggregate.name != "count", column.name
