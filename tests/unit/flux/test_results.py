"""Which results of a script are the rows that it writes."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.flux.results import ScriptResults, UnreadWrite
from airflow_provider_influx_rollup.flux.script import script_facts
from airflow_provider_influx_rollup.lint.parser import parse_flux

READ = 'from(bucket: "a") |> range(start: -1h) |> sum() '
WRITE = f'{READ} |> to(bucket: "b")'
FAR = 'to(bucket: "b", host: "http://far:8086")'
WIDE = f'{READ} |> influxdb.wideTo(bucket: "b")'
FAR_WIDE = f'{READ} |> influxdb.wideTo(bucket: "b", host: "http://far:8086")'
IMPORTS = 'import "influxdata/influxdb"\nimport "experimental"\n'


def results(text: str) -> ScriptResults:
    return script_facts(parse_flux(IMPORTS + text)).results


@pytest.mark.parametrize(
    ("text", "written", "beside"),
    [
        (f'{READ} |> to(bucket: "b")', ["to7", "_result"], []),
        (f'{READ} |> to(bucket: "b") |> yield(name: "x")', ["x", "_result"], []),
        (f'{READ} |> to(bucket: "b") |> yield()', ["_result"], []),
        (f'{READ} |> influxdb.to(bucket: "b") |> yield(name: "x")', ["x", "_result"], []),
        (f'{READ} |> to(bucket: "b")\n{READ} |> yield(name: "y")', ["to7", "_result"], ["y"]),
        (f'{READ} |> yield(name: "y") |> to(bucket: "b")', ["to7"], ["y"]),
        (f'{READ} |> to(bucket: "b") |> map(fn: (r) => r) |> yield(name: "y")', [], ["y"]),
        (
            f'x = {READ} |> to(bucket: "b")\nx |> yield(name: "x")\nx |> sum() |> yield(name: "y")',
            ["x"],
            ["y"],
        ),
        (
            f'w = (tables=<-) => tables |> to(bucket: "b")\n{READ} |> w() |> yield(name: "x")',
            ["x", "_result"],
            [],
        ),
        (f'{READ} |> to(bucket: "b")\nn = string(v: 1)\n{READ} |> yield(name: n)', ["to7", "1"], []),
        (f'{READ} |> to(bucket: "b")\n{READ} |> sum()', ["to7"], ["_result"]),
        (f"union(tables: [{WRITE}, {WRITE}])", ["_result"], []),
        (f'union(tables: [{WRITE}, {WRITE}]) |> yield(name: "x")', ["x"], []),
        (f"x = {WRITE}\ny = [x, {WRITE}]\nunion(tables: y)", ["_result"], []),
        (f"union(tables: [union(tables: [{WRITE}, {WRITE}]), {WRITE}])", ["_result"], []),
        (f"union(tables: [{WRITE}, {READ}])", [], ["_result"]),
        (f'union(tables: [{READ}, {READ}]) |> to(bucket: "b")', ["to7"], []),
        (f'join(tables: {{l: {WRITE}, r: union(tables: [{WRITE}])}}, on: ["_time"])', [], ["_result"]),
        (f"u = union(tables: [{WRITE}, {WRITE}])\n{READ}", ["to7", "to9"], ["_result"]),
        (f"u = union(tables: [{WRITE}, {READ}])\n{READ}", ["to7"], ["_result"]),
        (f"x = {READ}\nx", ["to7"], ["_result"]),
        (f'u = union(tables: [{WRITE}, {READ}])\n{READ} |> to(bucket: "b") |> yield()', ["_result"], []),
        (f"x = if true then {READ} else {READ}\n{WRITE}\nx", ["to7"], ["_result"]),
        (f"{WIDE}", ["wide-to7"], []),
        (f'{WIDE} |> yield(name: "x")\n{READ}', ["x"], ["_result"]),
        (f'x = {WRITE}\ny = if true then x else x\ny |> yield(name: "x")', ["x", "_result"], []),
    ],
)
def test_results_are_told_apart_by_where_the_write_stands(
    text: str, written: list[str], beside: list[str]
) -> None:
    found = results(text)
    assert [found.is_written(name) for name in written] == [True] * len(written)
    assert [found.is_written(name) for name in beside] == [False] * len(beside)


@pytest.mark.parametrize(
    ("text", "unread"),
    [
        (f'{READ}\n|> to(bucket: "b")', []),
        (f'{READ}\n|> to(bucket: "b", tagColumns: ["d"], org: "o")', []),
        (f'{READ}\n|> influxdb.wideTo(bucket: "b")', []),
        (f'{READ}\n|> experimental.to(bucket: "b")', []),
        (f'{READ}\n|> influxdb.wideTo(bucket: "b", host: "http://far:8086")', [("wideTo", 4)]),
        (f'{READ}\n|> influxdb.wideTo(bucket: "b")\n|> limit(n: 1)', [("wideTo", 4)]),
        (f'{READ}\n|> influxdb.wideTo(bucket: "b")\n|> yield(name: string(v: 1))', [("wideTo", 4)]),
        (f'{READ}\n|> to(bucket: "b")\n|> influxdb.wideTo(bucket: "b")', [("to", 4)]),
        (f'union(tables: [{READ}\n|> influxdb.wideTo(bucket: "b"), {WRITE}])', [("wideTo", 4), ("to", 4)]),
        (f"union(tables: [{WIDE}, {WIDE}])", []),
        (f"{WRITE}\n{FAR_WIDE}", [("wideTo", 4)]),
        (f"{WIDE}\n{FAR_WIDE}", [("wideTo", 3), ("wideTo", 4)]),
        (f'{READ}\n|> to(bucket: "b", fieldFn: (r) => ({{v: 1}}))', [("to", 4)]),
        (f'{READ}\n|> to(bucket: "b", host: "http://far:8086")', [("to", 4)]),
        (f'{READ}\n|> to(bucket: "b", measurementColumn: "m")', [("to", 4)]),
        (f'{READ}\n|> to(bucket: "b")\n|> limit(n: 1)', [("to", 4)]),
        (f'{READ}\n|> to(bucket: "b")\n{READ}\n|> influxdb.wideTo(bucket: "b")', []),
        (f'x = {READ}\n|> to(bucket: "b")\nx |> sum() |> yield(name: "y")', [("to", 4)]),
        (f'union(tables: [{READ}\n|> to(bucket: "b"), {WRITE}])', []),
        (f"f = () => {{ x = {WRITE}\nreturn union(tables: [x, {WRITE}]) }}\nf()", []),
        (f'union(tables: [{READ}\n|> to(bucket: "b"), {READ}])', [("to", 4)]),
        (f'union(tables: [{READ}\n|> to(bucket: "b"), {READ}\n|> {FAR}])', [("to", 4), ("to", 5)]),
        (f'x = union(tables: [x, {READ}\n|> to(bucket: "b")])\nx', [("to", 4)]),
        (f'x = {READ}\n|> to(bucket: "b")\njoin(tables: {{l: x, r: {READ}}}, on: ["_time"])', [("to", 4)]),
        (f'{READ}\n|> to(bucket: "b")\n{READ}\n|> {FAR}', [("to", 4), ("to", 6)]),
        (f'x = {READ}\n|> to(bucket: "b")\ny = x |> sum()\n{READ}', []),
        (f'x = {READ}\n|> to(bucket: "b")\nx |> yield(name: "x")\nx |> sum() |> yield(name: "y")', []),
        (
            f'x = {READ}\n|> to(bucket: "b") |> sum()\njoin(tables: {{l: x, r: {READ}}}, on: ["_time"])',
            [("to", 4)],
        ),
        (f'x = {READ}\n|> to(bucket: "b") |> sum()\n{READ}', []),
        (f"u = union(tables: [{WRITE}, {READ}\n|> {FAR}])\n{READ}", [("to", 3), ("to", 4)]),
        (f"f = () => {{ x = {READ} |> {FAR}\nreturn {READ} }}\n{WRITE}\nf()", [("to", 5), ("to", 3)]),
        (f'{READ}\n|> to(bucket: "b")\n|> yield(name: "x")\n{READ}\n|> {FAR}', [("to", 7)]),
    ],
)
def test_writes_are_named_when_no_result_has_their_rows(text: str, unread: list[tuple[str, int]]) -> None:
    assert results(text).unread == tuple(UnreadWrite(*one) for one in unread)


def test_results_of_to_are_not_told_apart_when_one_writes_to_another_server() -> None:
    both = f'{READ} |> to(bucket: "b")\n{READ} |> to(bucket: "b", host: "http://far:8086")'
    assert not results(both).is_written("to7")
    named = (
        f'{READ} |> to(bucket: "b")\n{READ} |> to(bucket: "b", host: "http://far:8086") |> yield(name: "far")'
    )
    assert results(named).is_written("to7")
    assert not results(named).is_written("far")


def test_rows_have_a_column_for_each_field_when_wide_to_wrote_them() -> None:
    found = results(f'{WIDE} |> yield(name: "x")\n{WRITE} |> yield(name: "y")\n{WIDE}\n{WRITE}')
    names = ["x", "y", "wide-to7", "to9"]
    assert [found.is_wide(name) for name in names] == [True, False, True, False]
    assert all(map(found.is_written, names))
