"""How late points were, from the receipts before and after a repair."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.ledger.late_arrivals import late_arrivals
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.windows.interval import Interval

SPEC = RollupSpec(
    source_bucket="raw",
    target_bucket="hourly",
    measurement="readings",
    grid=GridSpec("1h"),
    aggregates=("count",),
    pipeline="p",
)
HOUR = Interval(datetime(2025, 3, 8, 10, tzinfo=UTC), datetime(2025, 3, 8, 11, tzinfo=UTC))
A, B = (("device", "a"),), (("device", "b"),)


def receipt(minutes_after_stop: float, rows_in: int, generation: int = 1, **more: Any) -> Receipt:
    written_at = HOUR.stop + timedelta(minutes=minutes_after_stop)
    return Receipt(
        pipeline="p",
        stage="rollup",
        window=HOUR,
        state=State.COMMITTED,
        written_at=written_at,
        generation=generation,
        rows_in=rows_in,
        spec_hash="s",
        **more,
    )


FIRST = receipt(10, 100, seconds=60.0)
SECOND = receipt(90, 107, generation=2)


def test_points_lie_between_the_read_and_the_repair_when_a_window_gained_some() -> None:
    (found,) = late_arrivals(SPEC, {HOUR: FIRST}, [SECOND])
    assert (found.pipeline, found.measurement, found.window, found.generation) == ("p", "readings", HOUR, 2)
    assert found.points == 7
    # the first run read its source from 9 minutes after the stop on
    assert found.at_least_seconds == 9 * 60
    assert found.at_most_seconds == 90 * 60
    assert found.found_at == SECOND.written_at


def test_least_is_zero_when_a_run_died_since_the_commit() -> None:
    """The receipt of a run that died says when it began, not when the window was committed."""
    died = replace(FIRST, state=State.WRITING, written_at=HOUR.stop + timedelta(minutes=80))
    (found,) = late_arrivals(SPEC, {HOUR: died}, [SECOND])
    assert (found.points, found.at_least_seconds, found.at_most_seconds) == (7, 0, 90 * 60)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({}, SECOND, id="no receipt"),
        pytest.param({HOUR: receipt(5, 0, generation=0)}, SECOND, id="never committed"),
        pytest.param({HOUR: FIRST}, replace(SECOND, rows_in=100), id="as many points"),
        pytest.param({HOUR: FIRST}, replace(SECOND, rows_in=60), id="fewer points"),
        pytest.param({HOUR: replace(FIRST, spec_hash="other")}, SECOND, id="another spec"),
    ],
)
def test_nothing_is_late_when_a_window_did_not_gain_points(
    before: dict[Interval, Receipt], after: Receipt
) -> None:
    assert late_arrivals(SPEC, before, [after]) == []


def test_nothing_is_late_when_the_source_is_another_tier() -> None:
    tier = replace(SPEC, source_tier="the tier below", measurement="hourly")
    assert late_arrivals(tier, {HOUR: FIRST}, [SECOND]) == []


def test_all_points_are_late_when_the_window_was_committed_empty() -> None:
    (found,) = late_arrivals(SPEC, {HOUR: replace(FIRST, rows_in=0)}, [SECOND])
    assert found.points == 107


def test_series_are_named_when_their_growth_is_known() -> None:
    growth = {A: 3, B: 4}
    (found,) = late_arrivals(SPEC, {HOUR: FIRST}, [SECOND], late_series={HOUR: growth})
    assert (found.points, found.by_series) == (7, ((B, 4), (A, 3)))


def test_points_are_found_when_as_many_others_went() -> None:
    growth = {B: 2}
    same = replace(SECOND, rows_in=100)
    (found,) = late_arrivals(SPEC, {HOUR: FIRST}, [same], late_series={HOUR: growth})
    assert (found.points, found.by_series) == (2, ((B, 2),))


def test_bounds_are_in_order_when_clocks_of_two_workers_differ() -> None:
    ahead = replace(FIRST, written_at=HOUR.stop + timedelta(minutes=100))
    (found,) = late_arrivals(SPEC, {HOUR: ahead}, [SECOND])
    assert found.at_least_seconds == found.at_most_seconds == 90 * 60
