"""Which chain of a script reads which bucket, and from when to when: its range is that of no other chain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.flux.script import ScriptFacts, script_facts
from airflow_provider_influx_rollup.lint.parser import parse_flux
from tests.scenes.rollup_runs import interval

WINDOW = interval("2025-03-31T05:00", "2025-03-31T06:00")
HEAD = """import "join"
import "experimental/query"
"""
NARROW = "range(start: v.timeRangeStart, stop: v.timeRangeStop)"
TWO_READS = f'a = from(bucket: "a") |> {NARROW}\nb = from(bucket: "b") |> range(start: -5h)\n'
BOTH = [("a", 1), ("b", 5)]
Hours = list[tuple[str, int | None]]


def facts(text: str) -> ScriptFacts:
    return script_facts(parse_flux(HEAD + text), {"name": "m"})


def hours(text: str) -> Hours:
    """Each read's bucket, and the hours from the start of what it reads to the window's stop; None: it reads nothing."""
    found = [(read.bucket or read.bucket_id or "", read.interval(WINDOW)) for read in facts(text).reads]
    assert all(span is None or span.stop == WINDOW.stop for _, span in found)
    return sorted((name, span and (WINDOW.stop - span.start).seconds // 3600) for name, span in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "join": (
            TWO_READS + "join.inner(left: a, right: b, on: (l, r) => l.h == r.h, as: (l, r) => l)",
            BOTH,
        ),
        "join of a record": (TWO_READS + 'join(tables: {x: a, y: b}, on: ["h"])', BOTH),
        "union": (TWO_READS + "union(tables: [a, b])", BOTH),
        "in line": (
            f'union(tables: [from(bucket: "a") |> {NARROW}, from(bucket: "b") |> range(start: -5h)])',
            BOTH,
        ),
        "two from": (
            f'from(bucket: "a") |> {NARROW}\nfrom(bucketID: "b") |> range(start: -5h)',
            BOTH,
        ),
        "function": (
            'of = (n, d) => from(bucket: n) |> range(start: d)\nof(n: "a", d: -1h)\nof(n: "b", d: -5h)',
            BOTH,
        ),
        "function in a function": (
            (
                'raw = (n, d) => from(bucket: n) |> range(start: d)\nof = (d) => union(tables: [raw(n: "a", d: -1h), raw(n: "b", d: d)])\n'
                "of(d: -5h)"
            ),
            BOTH,
        ),
        "variables of a block": (
            f"of = () => {{\n{TWO_READS} return union(tables: [a, b])\n}}\nof()",
            BOTH,
        ),
        "function that nothing shows": (
            f'from(bucket: "a") |> {NARROW} |> map(fn: (r) => ({{r with x: (from(bucket: "b") |> range(start: -5h) |> findRecord(fn: (key) => true, idx: 0)).x}}))',
            BOTH,
        ),
        "record of chains": (
            f'all = {{x: from(bucket: "a") |> {NARROW}, y: from(bucket: "b") |> range(start: -5h)}}\nunion(tables: [all.x, all.y])',
            BOTH,
        ),
        "variable that is never narrowed": (
            (
                'b = from(bucket: "b") |> range(start: -5h) |> findRecord(fn: (key) => true, idx: 0)\n'
                'from(bucket: "a") |> range(start: -1h) |> map(fn: (r) => ({r with x: b.x}))'
            ),
            BOTH,
        ),
        "narrowed in a variable": (
            f'b = from(bucket: "b") |> range(start: -5h)\nc = b |> {NARROW}\nc |> sum()',
            [("b", 1)],
        ),
        "wide and narrowed": (
            f'b = from(bucket: "b") |> range(start: -5h)\nb |> {NARROW} |> sum()\nb |> last()',
            [("b", 1), ("b", 5)],
        ),
        "of its argument": (
            f'of = (tables=<-) => tables |> {NARROW}\nfrom(bucket: "b") |> range(start: -5h) |> of()',
            [("b", 1)],
        ),
        "first of a wide one": (
            f'from(bucket: "b") |> range(start: -5h) |> first() |> {NARROW}',
            [("b", 5)],
        ),
        "moved": (
            f'from(bucket: "b") |> range(start: -5h) |> timeShift(duration: 3h) |> {NARROW}',
            [("b", 5)],
        ),
        "nothing": (
            f'from(bucket: "b") |> range(start: -5h, stop: -4h) |> {NARROW}',
            [("b", None)],
        ),
        "whole package": ('query.inBucket(bucket: "b", start: -5h, measurement: "m")', [("b", 5)]),
        "computed bucket": ('from(bucket: if 1 == 1 then "a" else "b") |> range(start: -5h)', []),
        "range of no chain": (TWO_READS + "union(tables: [a, b]) |> range(start: -9h)", BOTH),
        "what names itself": ("a = union(tables: [a, a])\na |> range(start: -5h)", []),
    }.values(),
)
def test_range_counts_for_the_bucket_of_its_chain_alone(text: str, expected: Hours) -> None:
    assert hours(text) == expected


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.data())
def test_chain_reads_what_lies_in_all_of_its_ranges_however_it_is_cut_in_variables(
    starts: list[int], data: st.DataObject
) -> None:
    script, last = "", 'from(bucket: "a")'
    for n, start in enumerate(starts):
        last = f"{last} |> range(start: -{start}h)"
        if data.draw(st.booleans()):
            script, last = f"{script}x{n} = {last}\n", f"x{n}"
    assert hours(f'{script}{last} |> to(bucket: "z")') == [("a", min(starts))]


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ('filter(fn: (r) => r._measurement == "m")', {"m"}),
        ('filter(fn: (r) => r["_measurement"] == params.name and r._value > 3.0)', {"m"}),
        ('filter(fn: (r) => "m" == r._measurement or r._measurement == "n")', {"m", "n"}),
        ('filter(fn: (r) => r.h == "a") |> filter(fn: (row) => row._measurement == "m")', {"m"}),
        ('query.filterMeasurement(measurement: "m")', {"m"}),
        ('filter(fn: (r) => r._measurement == "m" or r.h == "a")', None),
        ('filter(fn: (r) => r._measurement != "m")', None),
        ('filter(fn: (r) => not (r._measurement == "m"))', None),
        ('filter(fn: (r) => s._measurement == "m")', None),
        ('set(key: "_measurement", value: "m") |> filter(fn: (r) => r._measurement == "m")', None),
    ],
)
def test_chain_reads_the_measurements_that_its_filters_name(stages: str, expected: set[str] | None) -> None:
    (read,) = facts(f'from(bucket: "a") |> range(start: -1h) |> {stages}').reads
    assert read.measurements == expected


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ("sum()", True),
        ('filter(fn: (r) => r.h == "a" and r._field == "f")', True),
        ("filter(fn: (r) => r._measurement =~ /m/)", False),
        ('filter(fn: (r) => r["_measurement"] != params.name)', False),
        ('query.filterMeasurement(measurement: "m")', False),
        ("of_m()", False),
        ("filter(fn: is_m)", False),
        ("filter(fn: (r) => is_m(r: r))", False),
        ("filter(fn: (r) => contains(value: r.h, set: hosts))", True),
        ("filter(fn: (row) => contains(value: row._measurement, set: hosts))", False),
        ("filter(fn: (r) => known(r: {r with h: 1}))", False),
        ("filter(fn: params.choice)", False),
        ('group(columns: ["_measurement", "h"]) |> sum()', True),
        ('keep(columns: ["_measurement", "_time", "_value"]) |> sum()', True),
        ('sum() |> set(key: "_measurement", value: "out") |> to(bucket: "b")', True),
        ('map(fn: (r) => ({r with _measurement: "out"})) |> to(bucket: "b")', True),
        ('map(fn: (r) => ({r with _value: if r._measurement == "m" then 1 else 0}))', False),
        ('rename(columns: {_measurement: "n"}) |> filter(fn: (r) => r.n == "m")', False),
        ('pivot(rowKey: ["_time"], columnKey: ["_measurement"], valueColumn: "_value")', False),
        ("through(f: of_m)", False),
        ("through(f: sum)", True),
    ],
)
def test_chain_reads_all_when_nothing_in_it_may_choose_a_measurement(stages: str, expected: bool) -> None:
    defined = """hosts = ["a"]
is_m = (r) => r._measurement == "m"
of_m = (tables=<-) => tables |> filter(fn: is_m)
through = (f, tables=<-) => tables |> f()
"""
    (read,) = facts(f'{defined}from(bucket: "a") |> range(start: -1h) |> {stages}').reads
    assert read.reads_all is expected


def test_script_of_doubling_unions_is_followed_in_good_time() -> None:
    doubled = "\n".join(f"x{n + 1} = union(tables: [x{n}, x{n}])" for n in range(200))
    assert hours(f'x0 = from(bucket: "a") |> range(start: -5h)\n{doubled}\nx200') == [("a", 5)]
    called = "\n".join(f"f{n + 1} = () => union(tables: [f{n}(), f{n}()])" for n in range(60))
    assert hours(f'f0 = () => from(bucket: "a") |> range(start: -5h)\n{called}\nf60()') == [("a", 5)]
