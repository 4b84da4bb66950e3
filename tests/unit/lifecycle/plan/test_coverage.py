"""The state of each window of a grid, without a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.archive.annotated_rows import Row as Answered
from airflow_provider_influx_rollup.exceptions import WindowMisaligned
from airflow_provider_influx_rollup.flux.query import RowsQuery
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.plan.coverage import CoverageResult, Gap, WindowState, coverage
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.steps.influx import Bucket, FindBucket, Gather
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, to_ns

START = datetime(2025, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW = START + 30 * HOUR
DAY = Interval(START, START + 24 * HOUR)
SPEC = RollupSpec(
    source_bucket="raw",
    target_bucket="rolled",
    measurement="readings",
    grid=GridSpec("1h"),
    aggregates=("count",),
    lateness="2h",
    ledger_bucket="ledger",
)
KEPT = Bucket(name="any", retention_seconds=0, shard_group_seconds=604_800)

Row = Mapping[str, Any]


def drive(
    steps: Steps[CoverageResult],
    buckets: Mapping[str, Bucket | None],
    rows: Sequence[Row],
    marks: Sequence[Row] = (),
) -> CoverageResult:
    def act(step: Any) -> Any:
        if isinstance(step, Gather):
            return [act(inner) for inner in step.steps]
        if isinstance(step, FindBucket):
            return buckets.get(step.name)
        assert isinstance(step, RowsQuery)
        if "purged_window" in step.flux():
            return step.read([Answered(mark, yield_name="marks") for mark in marks])
        return step.read([] if "pipeline_spec" in step.flux() else [Answered(row) for row in rows])

    answer = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as end:
            result: CoverageResult = end.value
            return result
        answer = act(step)


def receipt(hour: int, state: str = "COMMITTED", **more: Any) -> dict[str, Any]:
    start = START + hour * HOUR
    return {
        "_time": start,
        "state": state,
        "stop_ns": to_ns(start + HOUR),
        "spec_hash": SPEC.spec_hash(),
        "rows_in": 60,
        "rows_out": 6,
        "written_at_ns": to_ns(NOW),
        **more,
    }


def covered(
    rows: Sequence[Row], interval: Interval = DAY, source: Bucket | None = KEPT, now: datetime = NOW
) -> CoverageResult:
    return drive(coverage(SPEC, interval, now), {"raw": source, "rolled": KEPT, "ledger": KEPT}, rows)


def test_stage_is_the_rollups_when_receipts_are_read() -> None:
    from airflow_provider_influx_rollup.lifecycle.rollup import plan as rollup_plan

    assert rollup_plan.ROLLUP == ROLLUP


@pytest.mark.parametrize(
    ("rows", "state", "why"),
    [
        ([receipt(0)], WindowState.COMMITTED, ""),
        ([receipt(0, spec_hash="other")], WindowState.STALE_SPEC, "another spec"),
        ([receipt(0, stop_ns=to_ns(START + 2 * HOUR))], WindowState.STALE_SPEC, "another grid"),
        ([receipt(0, "WRITING")], WindowState.WRITING, "since 2025-03-02T06:00:00Z"),
        ([receipt(0, "PLANNED")], WindowState.PLANNED, "has not begun"),
        ([], WindowState.MISSING, "never run"),
    ],
)
def test_window_has_its_state_when_the_ledger_knows_it(rows: list[Row], state: WindowState, why: str) -> None:
    (found,) = covered(rows, Interval(START, START + HOUR)).windows
    assert found.state is state
    assert why in found.why
    assert found.rows_in == (60 if rows else 0)


def test_everything_is_missing_when_there_is_no_ledger() -> None:
    found = drive(coverage(SPEC, DAY, NOW), {"raw": KEPT}, [receipt(0)])
    assert found.counts()["missing"] == 24


def test_target_is_not_said_to_be_gone_when_the_token_may_lack_it() -> None:
    (found,) = drive(
        coverage(SPEC, Interval(START, START + HOUR), NOW), {"ledger": KEPT}, [receipt(0)]
    ).windows
    assert (found.state, found.why) == (
        WindowState.MISSING,
        "no target bucket 'rolled', or the token may not read it",
    )


def test_window_is_not_due_when_its_lateness_has_not_passed() -> None:
    late = START + 5 * HOUR
    found = covered([receipt(3), receipt(4, "WRITING")], Interval(START, START + 6 * HOUR), now=late)
    states = [window.state.value for window in found.windows]
    assert states == ["missing", "missing", "missing", "committed", "writing", "not_due"]
    assert not found.is_complete
    assert [gap.windows for gap in found.gaps()] == [3, 1]


def test_gaps_join_neighbours_when_their_state_is_one() -> None:
    found = covered([receipt(hour) for hour in (0, 1, 5, 6, 23)])
    three, many = Interval(START + 2 * HOUR, START + 5 * HOUR), Interval(START + 7 * HOUR, START + 23 * HOUR)
    missing = "never run"
    assert found.gaps() == [
        Gap(three, WindowState.MISSING, 3, missing),
        Gap(many, WindowState.MISSING, 16, missing),
    ]
    assert found.as_json()["gaps"][0] == {
        "start": "2025-03-01T02:00:00Z",
        "stop": "2025-03-01T05:00:00Z",
        "state": "missing",
        "windows": 3,
        "why": "never run",
    }


def test_windows_are_frozen_when_their_shard_group_has_gone() -> None:
    # shard groups of an hour: those that end before now - 10 h are gone, or go at any moment
    source = Bucket(name="raw", retention_seconds=10 * 3600, shard_group_seconds=3600)
    found = covered([receipt(0), receipt(1, spec_hash="old"), receipt(20)], source=source)
    states = [window.state for window in found.windows]
    assert states[0] is WindowState.COMMITTED
    assert states[1:20] == [WindowState.FROZEN] * 19
    assert states[20:] == [WindowState.COMMITTED] + [WindowState.MISSING] * 3
    assert "retention" in found.windows[1].why
    assert "another spec" in found.windows[1].why
    assert found.needed == tuple(window.window for window in found.windows[21:])


def test_interval_is_refused_when_the_grid_does_not_tile_it() -> None:
    with pytest.raises(WindowMisaligned):
        covered([], Interval(START, START + HOUR / 2))


@given(
    st.dictionaries(st.integers(0, 23), st.sampled_from(["COMMITTED", "WRITING", "PLANNED", "stale"])),
    st.integers(0, 40),
)
def test_each_window_has_one_state_when_receipts_are_any(known: dict[int, str], hours: int) -> None:
    rows = [
        receipt(hour, "COMMITTED", spec_hash="old") if state == "stale" else receipt(hour, state)
        for hour, state in known.items()
    ]
    found = covered(rows, now=START + hours * HOUR)
    assert [window.window for window in found.windows] == [
        Interval(START + hour * HOUR, START + (hour + 1) * HOUR) for hour in range(24)
    ]
    assert sum(found.counts().values()) == 24
    due = [hour for hour in range(24) if hour + 1 + 2 <= hours or hour in known]
    done = [hour for hour in due if known.get(hour) == "COMMITTED"]
    assert found.counts()["committed"] == len(done)
    assert sum(gap.windows for gap in found.gaps()) == len(due) - len(done)
    assert found.is_complete == (len(due) == len(done))


def test_window_is_frozen_when_its_points_were_purged_before_it_was_done() -> None:
    mark = {
        "_time": START,
        "bucket": "raw",
        "measurement": "readings",
        "stop_ns": to_ns(START + 2 * HOUR),
        "state": "purged",
        "generation": 3,
        "compared_at_ns": to_ns(NOW),
        "pipelines": "[]",
    }
    buckets = {"raw": KEPT, "rolled": KEPT, "ledger": KEPT}
    interval = Interval(START, START + 3 * HOUR)
    result = drive(coverage(SPEC, interval, NOW), buckets, [receipt(0)], [mark])
    assert [found.state.value for found in result.windows] == ["committed", "frozen", "missing"]
    assert "were purged; generation 3" in result.windows[1].why
