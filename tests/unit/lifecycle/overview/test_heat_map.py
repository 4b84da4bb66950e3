from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.lifecycle.overview.heat_map import (
    MAX_GAPS,
    cells_of_windows,
    gaps_of,
    heat_map,
    in_tiers,
    pipeline_rows,
)
from airflow_provider_influx_rollup.lifecycle.overview.judge import PipelineWindows
from airflow_provider_influx_rollup.lifecycle.overview.page_state import STATES, WRONG, PageState
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec

HOUR_NS = 3600 * 10**9
HOUR_MS = 3600 * 1000


def spec(source: str = "raw", target: str = "hourly", every: str = "1h", **more: Any) -> RollupSpec:
    return RollupSpec(
        source_bucket=source,
        target_bucket=target,
        measurement="cpu",
        aggregates=("count",),
        grid=GridSpec(every),
        **more,
    )


def windows(codes: list[int]) -> PipelineWindows:
    starts = np.arange(len(codes), dtype=np.int64) * HOUR_NS
    return PipelineWindows(
        spec=spec(), starts=starts, stops=starts + HOUR_NS, codes=np.array(codes, dtype=np.uint8)
    )


@given(st.lists(st.sampled_from(range(len(STATES))), min_size=1, max_size=60), st.integers(1, 70))
def test_cells_have_every_window_once_when_there_are_fewer_cells(codes: list[int], most: int) -> None:
    cells = cells_of_windows(windows(codes), most)
    assert len(cells) == min(most, len(codes))
    assert [cells[0][0], cells[-1][1]] == [0, len(codes) * HOUR_MS]
    assert [stop for _, stop, _ in cells[:-1]] == [start for start, _, _ in cells[1:]]
    for start, stop, counts in cells:
        inside = codes[start // HOUR_MS : stop // HOUR_MS]
        assert counts == dict(Counter(STATES[code].value for code in inside))


@given(st.lists(st.sampled_from(range(len(STATES))), min_size=1, max_size=60))
def test_gaps_are_the_runs_of_windows_to_look_at_when_states_change(codes: list[int]) -> None:
    told = gaps_of(windows(codes))
    covered: Counter[str] = Counter()
    for gap in told["gaps"]:
        covered[gap["state"]] += gap["windows"]
    wanted = Counter(STATES[code].value for code in codes if STATES[code] in WRONG)
    assert covered == wanted
    assert told["gaps_total"] == len(told["gaps"])
    assert [gap["start"] for gap in told["gaps"]] == sorted(
        (gap["start"] for gap in told["gaps"]), reverse=True
    )


def test_gaps_are_counted_and_the_newest_told_when_there_are_very_many() -> None:
    missing, done = STATES.index(PageState.MISSING), STATES.index(PageState.COMMITTED)
    told = gaps_of(windows([missing, done] * (MAX_GAPS + 5)))
    assert (len(told["gaps"]), told["gaps_total"]) == (MAX_GAPS, MAX_GAPS + 5)
    assert told["gaps"][0]["start"] == "1970-01-18T00:00:00Z"


def test_a_row_names_its_states_when_a_pipeline_has_several() -> None:
    committed, dirty = STATES.index(PageState.COMMITTED), STATES.index(PageState.DIRTY)
    (row,) = heat_map([windows([committed, dirty, committed])], 10)
    assert row["states"] == {"dirty": 1, "committed": 2}
    assert row["windows"] == 3
    assert row["gaps"] == [
        {"start": "1970-01-01T01:00:00Z", "stop": "1970-01-01T02:00:00Z", "windows": 1, "state": "dirty"}
    ]


@pytest.mark.parametrize("depth", [1, 4])
def test_tiers_follow_what_they_read_when_pipelines_are_listed(depth: int) -> None:
    specs = {one.pipeline_name: one for one in [spec(), spec(source="a", target="b")]}
    below = spec()
    for number in range(depth):
        below = RollupSpec(
            source_bucket=below.target_bucket,
            target_bucket=f"a-tier-{9 - number}",
            measurement="cpu",
            aggregates=("count",),
            grid=GridSpec(f"{number + 2}d"),
            source_tier=below.pipeline_name,
        )
        specs[below.pipeline_name] = below
    told = in_tiers(specs)
    assert [tier for _, tier in told] == [0, 0, *range(1, depth + 1)]
    assert told[1][0] == spec().pipeline_name
    assert pipeline_rows(specs)[-1]["reads"] == [told[-2][0]]
