"""What a script's text says of its results is true of those that a real InfluxDB returns, however its writes stand in it."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.client.driver import act
from airflow_provider_influx_rollup.client.influx_client import InfluxClient
from airflow_provider_influx_rollup.flux.script import script_facts
from airflow_provider_influx_rollup.lifecycle.rollup_script.rows import ScriptRows
from airflow_provider_influx_rollup.lifecycle.rollup_script.wide_rows import WideRows
from airflow_provider_influx_rollup.steps.influx import ParseScript, Query
from tests.conftest import InfluxServer
from tests.scenes.rollup_runs import Place, make_place

pytestmark = pytest.mark.live

IMPORTS = 'import "influxdata/influxdb"\nimport "experimental"\n'
PIVOT = '|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
# READ gives rows, LONG and WIDE write them, each under a measurement of its own; the number is of the writes that are told of
SHAPES = {
    "LONG": 0,
    "WIDE": 0,
    "WIDE\nWIDE\nLONG": 0,
    "u = union(tables: [LONG, LONG])\nREAD": 0,
    "u = union(tables: [LONG, READ])\nREAD": 0,
    "u = union(tables: [WIDE, WIDE])\nREAD": 0,
    "u = union(tables: [WIDE, WIDE])\nu": 0,
    "x = READ\nLONG\nx": 0,
    "x = LONG\nx": 0,
    'x = LONG\nx |> yield(name: "x")\nx |> sum() |> yield(name: "y")': 0,
    "x = LONG\ny = x |> sum()\nREAD": 0,
    "x = LONG |> sum()\nREAD": 0,
    'x = LONG |> sum()\nREAD |> yield(name: "q")\nx': 1,
    'x = LONG\njoin(tables: {l: x |> drop(columns: ["_start"]), r: READ}, on: ["_time"])': 1,
    'g = (t) => t |> limit(n: 1)\nx = LONG\ny = LONG\njoin(tables: {l: g(t: x), r: g(t: y)}, on: ["_time"])': 2,
    'a = LONG\nu = union(tables: [a, LONG])\nu |> yield(name: "u")\na |> yield(name: "a")': 0,
    'a = LONG\nu = union(tables: [a, LONG])\nu |> sum() |> yield(name: "u")': 2,
    'WIDE |> yield(name: "a")\nREAD |> yield(name: "c")': 0,
    'n = "z"\nWIDE |> yield(name: n + "1")': 0,
    'WIDE |> yield(name: if 1 == 1 then "a" else "b")': 1,
    f'LONG {PIVOT} |> influxdb.wideTo(bucket: "TARGET")': 1,
    f'READ {PIVOT} |> experimental.to(bucket: "TARGET")': 0,
    'LONG |> to(bucket: "TARGET") |> yield(name: "p")': 0,
    'f = (tables=<-) => tables |> to(bucket: "TARGET")\nREAD |> f()\nREAD |> f() |> yield(name: "n")': 0,
    "f = () => {\n  x = LONG\n  return READ\n}\nf()": 1,
    "x = if true then LONG else READ\nx": 0,
    "x = if true then READ else READ\nLONG\nx": 0,
    'a = LONG\nb = a |> yield(name: "in")\nb |> count() |> yield(name: "c")': 0,
}


@pytest.fixture(scope="module")
def place(influx: InfluxServer, client: InfluxClient) -> Place:
    """Two series, of which one has a tag more."""
    place = make_place(influx, client)
    client.write_lines(place.source, ["m,d=a,e=x v=1 1000000000", "m,d=b v=3 2000000000"])
    return place


def script_of(place: Place, shape: str, prefix: str) -> str:
    text = shape.replace("LONG", 'READ |> to(bucket: "TARGET")')
    text = text.replace("WIDE", f'READ {PIVOT} |> influxdb.wideTo(bucket: "TARGET")')
    first, *others = text.split("READ")
    read = f'from(bucket: "{place.source}") |> range(start: 0, stop: 10) |> set(key: "_measurement", value: '
    reads = (f'{read}"{prefix}{number}"){other}' for number, other in enumerate(others))
    return IMPORTS + "".join([first, *reads]).replace("TARGET", place.target)


@pytest.mark.parametrize(("number", "shape", "told"), [(n, *one) for n, one in enumerate(SHAPES.items())])
def test_rows_that_are_looked_up_are_those_that_were_written(
    place: Place, client: InfluxClient, number: int, shape: str, told: int
) -> None:
    script = script_of(place, shape, f"m{number}_")
    results = script_facts(act(ParseScript(script), client)).results
    said = [row for row in act(Query(script, as_sent=True), client) if results.is_written(row.yield_name)]
    wide = [row for row in said if results.is_wide(row.yield_name)]
    found = ScriptRows.of((row for row in said if row not in wide), WideRows.of(wide)).points
    there = client.query(f'''from(bucket: "{place.target}") |> range(start: 0)
        |> filter(fn: (r) => r._measurement =~ /^m{number}_/)''')
    written = {(row["_measurement"], row["_time"], row.get("d"), row["_value"]) for row in there}
    looked_up = {
        (name, time, dict(tags).get("d"), found[name, field, time, tags]) for name, field, time, tags in found
    }
    assert looked_up <= written
    assert len(results.unread) == told
    assert told or looked_up == written
    assert written
