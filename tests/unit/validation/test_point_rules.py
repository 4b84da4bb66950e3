"""Rules over points against plain loops, however the points are cut into parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.lifecycle.validate.judge import RuleTally
from airflow_provider_influx_rollup.validation.catalog import rule_of
from airflow_provider_influx_rollup.validation.points import Part, Points, Registry
from airflow_provider_influx_rollup.validation.rule import PointRule
from airflow_provider_influx_rollup.validation.sequence_memory import Memory
from airflow_provider_influx_rollup.windows.interval import Interval

SPAN = Interval(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 2, tzinfo=UTC))
NS = 10**9
KINDS = {float: "float", int: "integer", bool: "boolean", str: "string"}
TYPES = {"float": np.float64, "integer": np.int64, "unsigned": np.uint64, "boolean": bool, "string": object}

Row = tuple[str, int, Any]
"""Series, seconds, value."""


def table(name: str, rows: Sequence[Row], registry: Registry, kind: str = "") -> Points:
    kind = kind or KINDS[type(rows[0][2])]
    values = np.empty(len(rows), TYPES[kind])
    values[:] = [row[2] for row in rows]
    series = registry.numbers_of([(("device", row[0]),) for row in rows])
    times = np.array([row[1] for row in rows], np.int64) * NS
    return Points.sorted(name, kind, series, times, values)


def rule(kind: str, **values: Any) -> PointRule:
    made = rule_of({"rule": kind, **values})
    assert isinstance(made, PointRule)
    return made


def found(
    one: PointRule, tables: Mapping[str, Sequence[Row]], kind: str = "", cuts: Sequence[int] = ()
) -> set[tuple[str, str, int]]:
    """Field, series and seconds of each violation, with the rows cut into parts at some seconds."""
    registry, tally, result = Registry(), RuleTally(rule=one), set()
    edges = [-(10**9), *sorted(cuts), 10**9]
    for start, stop in pairwise(edges):
        some = {name: [row for row in rows if start <= row[1] < stop] for name, rows in tables.items()}
        part = Part(SPAN, tuple(table(n, rows, registry, kind) for n, rows in some.items() if rows), registry)
        verdict = one.judge(part, tally.memory)
        tally.add_points(part, verdict)
        for index, mask in verdict.masks.items():
            bad = part.tables[index].where(mask)
            names = [registry.tag_sets[number][0][1] for number in bad.series.tolist()]
            result |= set(zip([bad.field] * len(bad), names, (bad.time_ns // NS).tolist(), strict=True))
    assert tally.violations == len(result)
    return result


def seconds(one: PointRule, values: Sequence[Any], kind: str = "") -> list[int]:
    """Which of some values, a second apart, break a rule."""
    return sorted(at for _, _, at in found(one, {"x": [("d", at, v) for at, v in enumerate(values)]}, kind))


@pytest.mark.parametrize(
    ("values", "kind", "limits", "bad"),
    [
        ([-40.0, 85.0, -40.000001, 85.1], "float", {"low": -40, "high": 85}, [2, 3]),
        ([1.5, 2.5], "float", {"high": 2}, [1]),
        ([-3, 0, 4], "integer", {"low": -2.5, "high": 3.5}, [0, 2]),
        ([2**53, 2**53 + 1], "integer", {"high": 2**53}, [1]),
        ([-(2**63), 2**63 - 1], "integer", {"low": -1e30, "high": 1e30}, []),
        ([-(2**63), 2**63 - 1], "integer", {"low": 1e30}, [0, 1]),
        ([-(2**63), 2**63 - 1], "integer", {"high": -1e30}, [0, 1]),
        ([0, 2**64 - 1], "unsigned", {"low": -5, "high": 2**64 - 2}, [1]),
        (["5", ""], "string", {"low": 0}, [0, 1]),
        ([True, False], "boolean", {"low": 0, "high": 1}, [0, 1]),
    ],
)
def test_values_outside_are_found_when_a_range_is_given(
    values: list[Any], kind: str, limits: dict[str, float], bad: list[int]
) -> None:
    assert seconds(rule("range", field="x", **limits), values, kind) == bad


@pytest.mark.parametrize(
    ("values", "kind", "allowed", "bad"),
    [
        (["on", "off", "On", ""], "string", ["on", "off"], [2, 3]),
        ([1, 2, 3], "integer", [1, 2.0, "3", True], [2]),
        ([2**53, 2**53 + 1], "integer", [2**53], [1]),
        ([1.0, 1.5], "float", [1], [1]),
        ([True, False], "boolean", [True, 0], [1]),
        ([1, 0], "unsigned", [-1, 0.5, 2**70], [0, 1]),
    ],
)
def test_other_values_are_found_when_some_are_allowed(
    values: list[Any], kind: str, allowed: list[Any], bad: list[int]
) -> None:
    assert seconds(rule("allowed_values", field="x", values=allowed), values, kind) == bad


def test_texts_are_found_when_they_do_not_match_or_are_no_numbers() -> None:
    texts = ["d-1", "d-1 ", "xd-1", "", "NaN", " -inf ", "nan1", "INFINITY", "d-1\n"]
    assert seconds(rule("pattern", field="x", pattern="d-[0-9]"), texts) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert seconds(rule("pattern", field="x", pattern=".*"), [1.0, 2.0]) == [0, 1]
    assert seconds(rule("finite", field="x"), texts) == [4, 5, 7]
    assert seconds(rule("finite", field="x", texts=["N/A"]), ["n/a", "nan"]) == [0]
    assert seconds(rule("finite", field="x"), [1.0]) == []


def test_late_points_are_found_when_a_field_says_when_they_came() -> None:
    came = [0, 1 * NS, 2 * NS + 10 * NS, 3 * NS + 10 * NS + 1]
    assert seconds(rule("late_points", field="x", max_delay="10s"), came) == [3]
    in_seconds = rule("late_points", field="x", max_delay="10s", time_unit="s")
    assert seconds(in_seconds, [0, 12, 12, 13]) == [1]
    assert seconds(in_seconds, [0.0, 12.0, 12.0, 13.5]) == [1, 3]
    assert seconds(in_seconds, [2**62], "integer") == [0]
    assert seconds(in_seconds, ["soon"]) == [0]


def test_points_are_found_when_a_field_is_missing_beside_others() -> None:
    temp = [("a", 1, 1.0), ("a", 2, 1.0), ("b", 1, 1.0)]
    status = [("a", 1, "ok"), ("a", 3, "ok"), ("b", 1, "")]
    tables = {"temp": temp, "status": status}
    assert found(rule("missing_field", field="temp"), tables) == {("status", "a", 3)}
    missing = {("temp", "a", 2), ("status", "b", 1), ("temp", "b", 1)}
    assert found(rule("missing_field", field="status"), tables) == missing
    kept = rule("missing_field", field="status", empty_text=False)
    assert found(kept, tables) == {("temp", "a", 2)}
    assert found(rule("missing_field", field="hum", beside="temp"), tables) == {
        ("temp", *row[:2]) for row in temp
    }
    only_b = rule("missing_field", field="status", where={"device": "b"}, empty_text=False)
    assert found(only_b, tables) == set()


def test_rule_leaves_other_series_alone_when_it_says_where() -> None:
    rows = [("a", 1, 9.0), ("b", 1, 9.0)]
    one = rule("range", field="x", high=5, where={"device": ["b", "c"]})
    assert found(one, {"x": rows}) == {("x", "b", 1)}
    registry, tally = Registry(), RuleTally(rule=one)
    part = Part(SPAN, (table("x", rows, registry),), registry)
    tally.add_points(part, one.judge(part, tally.memory))
    assert (tally.checked, tally.violations) == (1, 1)


def test_worst_points_are_shown_when_there_are_many() -> None:
    one = rule("range", field="x", low=0, high=10)
    registry, tally = Registry(), RuleTally(rule=one)
    for start in (0, 100):
        rows = [("d", start + at, float(11 + at + start)) for at in range(20)]
        part = Part(SPAN, (table("x", rows, registry),), registry)
        tally.add_points(part, one.judge(part, tally.memory))
    examples = tally.result().examples
    assert [example["value"] for example in examples] == [130.0, 129.0, 128.0, 127.0, 126.0]
    assert examples[0] == {
        "time": "1970-01-01T00:01:59.000000000Z",
        "tags": {"device": "d"},
        "field": "x",
        "value": 130.0,
    }


# the oracles: one series, one point after the other


def stuck_oracle(rows: Sequence[Row], points: int) -> set[int]:
    bad, run, before = set(), 0, object()
    for _, at, value in rows:
        run = run + 1 if value == before else 1
        before = value
        if run >= points:
            bad.add(at)
    return bad


def spike_oracle(rows: Sequence[Row], max_change: float, per: float) -> set[int]:
    bad: set[int] = set()
    good: Row | None = None
    for row in rows:
        if good is not None and abs(row[2] - good[2]) > max_change * max(1.0, (row[1] - good[1]) / per):
            bad.add(row[1])
        else:
            good = row
    return bad


def monotonic_oracle(rows: Sequence[Row], *, strict: bool, reset_to: float | None) -> set[int]:
    bad: set[int] = set()
    for (_, _, before), (_, at, value) in pairwise(rows):
        falls = value <= before if strict else value < before
        is_reset = reset_to is not None and value < before and value <= reset_to
        if falls and not is_reset:
            bad.add(at)
    return bad


SEQUENCES: list[tuple[PointRule, Callable[[Sequence[Row]], set[int]]]] = [
    (rule("stuck", field="x", points=3), lambda rows: stuck_oracle(rows, 3)),
    (rule("spike", field="x", max_change=2, per="3s"), lambda rows: spike_oracle(rows, 2, 3)),
    (rule("monotonic", field="x"), lambda rows: monotonic_oracle(rows, strict=False, reset_to=None)),
    (
        rule("monotonic", field="x", strict=True, reset_to=1),
        lambda rows: monotonic_oracle(rows, strict=True, reset_to=1),
    ),
]


@given(
    steps=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(1, 4), st.integers(0, 6)), min_size=1, max_size=60
    ),
    cuts=st.lists(st.integers(0, 150), max_size=4),
    kind=st.sampled_from(["float", "integer", "unsigned"]),
)
def test_verdicts_are_those_of_a_plain_loop_when_points_come_in_any_parts(
    steps: list[tuple[str, int, int]], cuts: list[int], kind: str
) -> None:
    rows, clock = [], 0
    for device, wait, value in steps:
        clock += wait
        rows.append((device, clock, TYPES[kind](value).item()))
    for one, oracle in SEQUENCES:
        expected = {
            ("x", device, at) for device in "abc" for at in oracle([row for row in rows if row[0] == device])
        }
        assert found(one, {"x": rows}, kind, cuts) == expected, one.name


def test_run_goes_on_when_a_text_stays_over_parts() -> None:
    rows = [("d", at, "idle" if at > 3 else "busy") for at in range(9)]
    assert found(rule("stuck", field="x", points=4), {"x": rows}, cuts=[2, 5, 6]) == {
        ("x", "d", at) for at in (3, 7, 8)
    }


def test_small_changes_count_as_stuck_when_they_are_tolerated() -> None:
    assert seconds(rule("stuck", field="x", points=3, tolerated_change=0.1), [1.0, 1.05, 1.1, 1.5, 1.5]) == [
        2
    ]


def test_lone_spike_is_one_violation_when_the_value_comes_back() -> None:
    values = [20.0, 20.1, 99.0, 20.2, 20.3, -50.0, -51.0, 20.2]
    assert seconds(rule("spike", field="x", max_change=5, per="1s"), values) == [2, 5, 6]


def test_new_level_is_right_when_enough_time_has_passed() -> None:
    values = [10.0] + [30.0] * 9
    # 5 within a second: 20 are possible after four
    assert seconds(rule("spike", field="x", max_change=5, per="1s"), values) == [1, 2, 3]


def test_memory_begins_anew_when_the_type_of_a_field_changes() -> None:
    one = rule("stuck", field="x", points=2)
    registry = Registry()
    masks: list[list[bool]] = []
    memory: Memory = {}
    for kind in ("integer", "float", "float"):
        part = Part(SPAN, (table("x", [("d", len(masks), 1)], registry, kind),), registry)
        verdict = one.judge(part, memory)
        masks.append(verdict.masks[0].tolist())
        memory = verdict.memory
    assert masks == [[False], [False], [True]]


def test_points_are_put_in_order_when_an_answer_is_not() -> None:
    registry = Registry()
    mixed = table("x", [("b", 2, 1.0), ("a", 3, 2.0), ("b", 1, 3.0)], registry)
    assert (mixed.time_ns // NS).tolist() == [1, 2, 3]
    assert [registry.tag_sets[number] for number in mixed.series.tolist()] == [(("device", "b"),)] * 2 + [
        (("device", "a"),)
    ]
    assert mixed.values.tolist() == [3.0, 1.0, 2.0]
