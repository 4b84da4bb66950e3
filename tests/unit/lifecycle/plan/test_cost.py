"""What windows cost, learnt from a history, without a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.archive.annotated_rows import Row
from airflow_provider_influx_rollup.flux.ledger_history import BlockEvent, BlockEvents
from airflow_provider_influx_rollup.lifecycle.plan.cost import CostModel, WrittenBlock, blocks_of
from airflow_provider_influx_rollup.windows.interval import Interval

NOW = datetime(2025, 3, 1, tzinfo=UTC)


def event(number: int, seconds: float, state: str = "COMMITTED", **more: Any) -> dict[str, Any]:
    return {
        "_time": NOW + timedelta(seconds=number),
        "pipeline": "p",
        "state": state,
        "rows_in": 100,
        "rows_out": 10,
        "seconds": seconds,
        "run_id": "run",
        "task_id": "task",
        "try_number": 1,
        **more,
    }


def read(rows: list[dict[str, Any]]) -> list[BlockEvent]:
    query = BlockEvents(
        ledger_bucket="ledger",
        stage="rollup",
        written=Interval(NOW, NOW + timedelta(days=1)),
        pipeline=None,
        most_events=9,
    )
    return query.read([Row(row) for row in rows])


def learnt(*blocks: WrittenBlock) -> CostModel:
    model = CostModel.learn(blocks)
    assert model is not None
    return model


def test_windows_form_a_block_when_they_share_its_seconds() -> None:
    rows = [
        event(1, 0.5),
        event(2, 0.5),
        event(3, 0.7),
        event(4, 0.5, run_id="later"),
        event(5, 9.0, "WRITING"),
    ]
    assert blocks_of(read(rows)) == [
        WrittenBlock(1, 100, 10, 0.5),
        WrittenBlock(1, 100, 10, 0.7),
        WrittenBlock(2, 200, 20, 0.5),
    ]


def test_nothing_is_known_when_there_is_no_history() -> None:
    assert blocks_of(read([event(1, 0.5, "WRITING")])) == []
    assert CostModel.learn([]) is None


@given(
    st.floats(0.01, 5),
    st.floats(1e-7, 1e-4),
    st.lists(st.integers(1_000, 10_000_000), min_size=2, max_size=30, unique=True),
)
def test_line_is_found_when_blocks_lie_on_it(per_block: float, per_point: float, points: list[int]) -> None:
    if max(points) < 2 * min(points):
        points.append(max(points) * 3)
    model = learnt(*(WrittenBlock(24, count, 1, per_block + per_point * count) for count in points))
    assert model.seconds_per_point == pytest.approx(per_point, rel=1e-6)
    assert model.seconds(24, 5_000_000) == pytest.approx(per_block + per_point * 5_000_000, rel=1e-6)
    assert model.seconds(240, 0) == pytest.approx(10 * model.seconds_per_block)


def test_slow_runs_do_not_count_when_most_are_quick() -> None:
    quick = [WrittenBlock(1, count, 1, 0.1 + count * 1e-5) for count in range(1_000, 20_000, 1_000)]
    slow = [WrittenBlock(1, 5_000, 1, 300.0), WrittenBlock(1, 9_000, 1, 80.0)]
    assert learnt(*quick, *slow).seconds(1, 10_000) == pytest.approx(0.2, rel=0.05)


def test_estimate_is_never_negative_when_larger_blocks_were_quicker() -> None:
    model = learnt(WrittenBlock(1, 100, 1, 9.0), WrittenBlock(1, 100_000, 1, 1.0))
    assert model.seconds_per_point == 0
    assert model.seconds(2, 10**9) == pytest.approx(10.0)


def test_time_is_the_blocks_own_when_all_are_alike() -> None:
    model = learnt(WrittenBlock(24, 1_000, 1, 2.0), WrittenBlock(24, 1_000, 1, 2.0))
    assert model.seconds(24, 1_000) == pytest.approx(2.0)
    assert model.seconds(24, 2_000) == pytest.approx(4.0)


def test_blocks_cost_their_time_when_they_have_no_points() -> None:
    assert learnt(WrittenBlock(2, 0, 0, 0.5)).seconds(5, 0) == pytest.approx(1.5)
