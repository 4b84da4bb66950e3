"""One column of a rollup, recomputed from its source and as it is stored: equal values give equal answers, byte by byte.

Series come in the order of their keys and each in the order of time, from both. A column at a time costs the server least:
each further chain of a query costs as much as all its rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.flux.filters import field_filter, measurement_filter, tag_filter
from airflow_provider_influx_rollup.flux.query import DigestQuery
from airflow_provider_influx_rollup.flux.rollup import Chain, RollupSource, render_source, render_window
from airflow_provider_influx_rollup.windows.equal_runs import EqualRun
from airflow_provider_influx_rollup.windows.interval import Interval

BARE = '|> group()\n  |> drop(columns: ["_start", "_stop", "_measurement", "_field"])'


@dataclass(frozen=True, slots=True)
class RecomputedColumn(DigestQuery):
    """The values that the source gives now; one yield for each run of equal windows.

    :param chain: pushed down
    """

    source: RollupSource
    chain: Chain
    runs: Sequence[EqualRun]

    def flux(self) -> str:
        return "\n\n".join(
            f"{render_source(self.source, run.interval, [self.chain.field])}\n"
            f"  {render_window(run, self.chain)}\n  {BARE}\n"
            f'  |> yield(name: "{number}")'
            for number, run in enumerate(self.runs)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredColumn(DigestQuery):
    """The values that the target holds; one yield for each interval.

    :param intervals: from the first row's time of each run of equal windows to after its last one's
    :param tags: the tag values that belong to the pipeline
    """

    bucket: str
    measurement: str
    column: str
    intervals: Sequence[Interval]
    tags: Mapping[str, tuple[str, ...]]

    def flux(self) -> str:
        filters = [measurement_filter(self.measurement).strip(), field_filter(self.column).strip()]
        if self.tags:
            filters.append(tag_filter(self.tags).strip())
        return "\n\n".join(
            "\n  ".join(
                [
                    f"from(bucket: {literals.string(self.bucket)})",
                    f"|> range(start: {literals.time(interval.start)}, stop: {literals.time(interval.stop)})",
                    *filters,
                    BARE,
                    f'|> yield(name: "{number}")',
                ]
            )
            for number, interval in enumerate(self.intervals)
        )
