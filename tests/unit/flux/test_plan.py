"""Plans as a real server prints them."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.flux.plan import PLAN_COLUMN, QueryPlan, describe_raw_reads, read_plan

MAPPED = """digraph {
  "merged_ReadRange11_filter2"
  "vectorizedMap10"
  "aggregateWindow9"
  "to8"

  "merged_ReadRange11_filter2" -> "vectorizedMap10"
  "vectorizedMap10" -> "aggregateWindow9"
  "aggregateWindow9" -> "to8"
}

"""
SHARED = """digraph {
  "ReadRange6"
  "mean2"
  "yield3"
  "max4"
  "yield5"

  "ReadRange6" -> "mean2"
  "mean2" -> "yield3"
  "ReadRange6" -> "max4"
  "max4" -> "yield5"
}
"""


def plan_of(text: str) -> QueryPlan:
    plan = read_plan([{"_value": 1.0}, {"result": "_profiler", PLAN_COLUMN: text}])
    assert plan is not None
    return plan


def test_raw_reads_are_named_with_what_they_feed_when_a_map_comes_first() -> None:
    plan = plan_of(MAPPED)
    assert plan.nodes == ("merged_ReadRange11_filter2", "vectorizedMap10", "aggregateWindow9", "to8")
    assert plan.raw_reads == ("merged_ReadRange11_filter2",)
    assert plan.pushed_reads == ()
    assert not plan.is_pushed_down
    assert describe_raw_reads(plan) == "ReadRange feeds map"


def test_both_readers_are_named_when_they_share_a_read() -> None:
    assert describe_raw_reads(plan_of(SHARED)) == "ReadRange feeds mean and max"


@pytest.mark.parametrize(
    ("node", "is_raw"),
    [("ReadRange2", True), ("ReadGroup5", True), ("ReadGroupAggregate7", False), ("ReadTagValues7", False),
     ("ReadWindowAggregateByTime10", False), ("ReadWindowAggregate5", False)],
)  # fmt: skip
def test_a_read_is_raw_when_points_leave_the_storage(node: str, is_raw: bool) -> None:
    plan = plan_of(f'digraph {{\n  "{node}"\n}}\n')
    assert plan.reads == (node,)
    assert plan.is_pushed_down is not is_raw
    assert describe_raw_reads(plan) == ("" if not is_raw else f"{node.rstrip('0123456789')} is returned")


def test_there_is_no_plan_when_no_row_has_one() -> None:
    assert read_plan([{"_value": 1.0}]) is None
    assert read_plan([{PLAN_COLUMN: ""}]) is None
