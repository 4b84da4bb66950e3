"""Which parts a tier needs, and merging them: the merge of parts equals the whole."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_influx_rollup.aggregates.catalog import CATALOG, find_aggregate
from airflow_provider_influx_rollup.aggregates.compute import FUNCTIONS
from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.aggregates.hierarchy import (
    MERGES,
    REASONS,
    TierRules,
    Way,
    find_merge,
    part_of,
    require_mergeable_names,
    require_parts,
)
from airflow_provider_influx_rollup.aggregates.selection import AggregateRules, Column
from airflow_provider_influx_rollup.aggregates.tier_merge import (
    CHILD_MERGES,
    FORMULAS,
    derive,
    merge_children,
    merge_part,
)
from airflow_provider_influx_rollup.aggregates.windowed import Block, WindowBounds
from airflow_provider_influx_rollup.exceptions import AggregateNotMergeable, UnknownAggregate
from tests.scenes.examples import examples

SIDE = (("side", "a"),)
MERGEABLE = ("count", "sum", "min", "max", "first", "last", "mean", "spread", "stddev", "increase", "resets")
CHILDREN_OF = {
    float: st.lists(
        st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=6), min_size=1, max_size=6
    ),
    int: st.lists(st.lists(st.integers(0, 2**40), min_size=1, max_size=6), min_size=1, max_size=6),
}


def plain(name: str, values: list[Any]) -> Any:
    """The plainest computation there is."""
    steps = list(pairwise(values))
    zero = type(values[0])(0)
    return {
        "count": lambda: len(values),
        "sum": lambda: sum(values),
        "min": lambda: min(values),
        "max": lambda: max(values),
        "first": lambda: values[0],
        "last": lambda: values[-1],
        "mean": lambda: statistics.fmean(values),
        "spread": lambda: max(values) - min(values),
        "stddev": lambda: statistics.stdev(values) if len(values) > 1 else None,
        "increase": lambda: sum((b - a if b >= a else max(b, zero) for a, b in steps), zero),
        "resets": lambda: sum(b < a for a, b in steps),
    }[name]()


def frames_of(children: list[list[Any]], parts: tuple[str, ...]) -> dict[str, Frame]:
    """The rows of one series: one child per hour, each with its parts."""
    frames = {}
    for part in parts:
        rows = [
            (hour, value) for hour, child in enumerate(children) if (value := plain(part, child)) is not None
        ]
        times = np.array([hour for hour, _ in rows], np.int64)
        values = np.array([value for _, value in rows])
        zeros = np.zeros(len(rows), np.int64)
        if len(rows):
            frames[f"x_{part}"] = Frame(
                tag_sets=[SIDE], series=zeros, fields=[f"x_{part}"], field=zeros, time_ns=times, values=values
            )
    return frames


def merged(name: str, children: list[list[Any]], kind: type) -> list[Any]:
    rules = AggregateRules.of([name], None)
    parts = tuple(find_merge(name).choose(MERGEABLE) or ())
    frames = frames_of(children, parts)
    below = AggregateRules.of(parts, None)
    types = dict.fromkeys(frames, "float" if kind is float else "integer")
    [column] = TierRules(rules, below, "below").select(types).columns
    bounds = WindowBounds(np.array([0], np.int64), np.array([24], np.int64))
    way = find_merge(name).way
    if way is Way.CHILDREN:
        block = merge_children(column, frames, bounds)
    else:
        blocks = {
            source: merge_part(source, part_of(column, source), frames[source], bounds)
            for source in column.sources
        }
        block = derive(column, blocks) if way is Way.MERGED else blocks[column.sources[0]]
    return list(block.values.tolist())


@pytest.mark.parametrize("name", MERGEABLE)
@settings(max_examples=examples(40))
@given(children=CHILDREN_OF[int])
def test_merge_of_children_is_the_whole_when_values_are_integers(
    name: str, children: list[list[int]]
) -> None:
    whole = plain(name, [value for child in children for value in child])
    found = merged(name, children, int)
    if name in ("mean", "stddev"):
        expected = [] if whole is None else [whole]
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-3)
    else:
        assert found == [whole]
        assert type(found[0]) is int


@pytest.mark.parametrize("name", MERGEABLE)
@settings(max_examples=examples(40))
@given(children=CHILDREN_OF[float])
def test_merge_of_children_is_the_whole_when_values_are_floats(
    name: str, children: list[list[float]]
) -> None:
    whole = plain(name, [value for child in children for value in child])
    expected = [] if whole is None else [whole]
    scale = max(abs(value) for child in children for value in child)
    assert merged(name, children, float) == pytest.approx(expected, rel=1e-9, abs=1e-9 * max(1.0, scale))


def test_standard_deviation_keeps_its_digits_when_integers_are_large_and_close() -> None:
    children = [[2**53 + 1, 2**53 + 4], [2**53 + 2], [2**53 + 9, 2**53 + 1, 2**53 + 3]]
    whole = statistics.stdev([value - 2**53 for child in children for value in child])
    assert merged("stddev", children, int) == pytest.approx([whole], rel=1e-9)


def test_standard_deviation_is_absent_when_the_whole_has_one_point() -> None:
    assert merged("stddev", [[5.0]], float) == []
    # none of the children has one, but the whole has
    assert merged("stddev", [[5.0], [7.0]], float) == pytest.approx([math.sqrt(2)])


def test_standard_deviation_is_absent_when_a_child_of_several_points_has_none() -> None:
    frames = frames_of([[1.0, 2.0], [3.0]], ("count", "sum"))
    column = Column(
        field="x", field_type="integer", aggregate=find_aggregate("stddev"), parts=("x_count", "x_sum")
    )
    bounds = WindowBounds(np.array([0], np.int64), np.array([24], np.int64))
    assert len(merge_children(column, frames, bounds).values) == 0


def test_series_and_windows_stay_apart_when_parts_come_in_another_order() -> None:
    tag_sets = [(("side", "a"),), (("side", "b"),)]
    bounds = WindowBounds(np.array([0, 10], np.int64), np.array([10, 20], np.int64))
    zeros = np.zeros(4, np.int64)

    def frame(name: str, order: list[int], values: list[float]) -> Frame:
        series, times = np.array([0, 0, 1, 1])[order], np.array([1, 11, 2, 12])[order]
        return Frame(
            tag_sets=tag_sets,
            series=series,
            fields=[name],
            field=zeros,
            time_ns=times,
            values=np.array(values)[order],
        )

    counts = merge_part("x_count", "count", frame("x_count", [3, 1, 0, 2], [1, 2, 3, 4]), bounds)
    # series b has no sum in the first window
    sums = merge_part("x_sum", "sum", frame("x_sum", [1, 3, 0], [10.0, 40.0, 0, 80.0]), bounds)
    column = Column(
        field="x", field_type="float", aggregate=find_aggregate("mean"), parts=("x_count", "x_sum")
    )
    mean = derive(column, {"x_count": counts, "x_sum": sums})
    found = {
        (mean.tag_sets[series], window): value
        for series, window, value in zip(
            mean.series.tolist(), mean.window.tolist(), mean.values.tolist(), strict=True
        )
    }
    a, b = tag_sets
    assert found == {(a, 0): 10.0, (a, 1): 20.0, (b, 1): 20.0}


def test_every_aggregate_is_mergeable_or_has_a_reason() -> None:
    for name, aggregate in CATALOG.items():
        if aggregate.sketch is None:
            assert (name in MERGES) != (name in REASONS), name
    ways = {Way.MERGED: FORMULAS, Way.CHILDREN: CHILD_MERGES}
    for name, merge in MERGES.items():
        assert merge.way is Way.PART or name in ways[merge.way]
        assert {part for needs in merge.needs for part in needs} <= set(FUNCTIONS)


@pytest.mark.parametrize("name", ["median", "p99", "distinct", "integral"])
def test_aggregate_is_refused_with_a_reason_when_its_parts_do_not_merge(name: str) -> None:
    with pytest.raises(AggregateNotMergeable) as refused:
        require_mergeable_names(AggregateRules.of({"*": ["count"], "x": [name]}, None))
    assert f"{name} cannot be computed from another tier: " in str(refused.value)
    assert "p99_approx" in str(refused.value)
    with pytest.raises(UnknownAggregate):
        find_merge("nothing")


REFUSED = [
    (
        ["mean"],
        ["count", "min"],
        "mean of field '*' needs sum of pipeline 'below', which stores count, min of it",
    ),
    (["stddev"], ["count", "stddev"], "needs sum or mean of pipeline"),
    ({"temp": ["spread"]}, {"temp": ["max"], "*": ["min", "max"]}, "spread of field 'temp' needs min"),
    ({"temp": ["count"]}, {"hum*": ["count"]}, "which stores nothing of it"),
    (["count"], {"temp": ["count"], "hum": ["last"]}, "count of field 'hum' needs count"),
    (["increase"], ["increase", "last"], "needs first of"),
]


@pytest.mark.parametrize(("asked", "stored", "message"), REFUSED)
def test_tier_is_refused_when_the_tier_below_lacks_a_part(asked: Any, stored: Any, message: str) -> None:
    with pytest.raises(AggregateNotMergeable) as refused:
        require_parts(AggregateRules.of(asked, None), AggregateRules.of(stored, None), "below")
    assert message in str(refused.value)


def test_tier_is_accepted_when_its_globs_only_meet_fields_that_have_the_parts() -> None:
    stored = AggregateRules.of({"temp*": ["count", "sum"], "state": ["last"]}, None)
    require_parts(AggregateRules.of({"temp*": ["mean"], "state": ["last"]}, None), stored, "below")


def test_fields_are_told_apart_when_one_has_the_name_of_anothers_part() -> None:
    below = AggregateRules.of(["count", "sum", "first"], None)
    rules = AggregateRules.of(["mean", "first"], None)
    types = {
        "x_count": "integer", "x_sum": "float", "x_first": "float",
        "x_count_count": "integer", "x_count_sum": "integer", "x_count_first": "integer",
        "state_count": "integer", "state_first": "string", "foreign": "float",
    }  # fmt: skip
    selection = TierRules(rules, below, "below").select(types)
    assert {(c.name, c.field_type, c.sources) for c in selection.columns} == {
        ("x_mean", "integer", ("x_count", "x_sum")),
        ("x_first", "float", ("x_first",)),
        ("x_count_mean", "integer", ("x_count_count", "x_count_sum")),
        ("x_count_first", "integer", ("x_count_first",)),
        ("state_first", "string", ("state_first",)),
    }
    assert selection.skipped == ("mean of state, which has no sum",)
    assert TierRules(rules, below, "below").names_for("foreign") == ()


def test_rows_count_once_when_a_block_has_one_run() -> None:
    rows = frames_of([[1.0], [2.0], [3.0]], ("sum",))["x_sum"]
    bounds = WindowBounds(np.array([0, 2], np.int64), np.array([2, 4], np.int64))
    block: Block = merge_part("x_sum", "sum", rows, bounds)
    assert block.window.tolist() == [0, 1]
    assert block.values.tolist() == [3.0, 3.0]
