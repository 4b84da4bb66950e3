"""Values through the real server: what is written comes back, from query and from query_arrow."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_influx_rollup.client.influx_client import InfluxClient

pytestmark = pytest.mark.live

TEXTS = [
    'quote " and "" two',
    "comma, and ;",
    "line\nbreak\n\nand blank",
    "\n",
    "back\\slash\\",
    "#datatype,string,long\n#group,false,false\n,result,table",
    ',,0,x\n\n{"code":"internal error","message":"no"}',
    "héllo 🦆 日本 \u2028 \ufeff",
    "NaN",
    "null",
    "true",
    " spaces ",
    "\t\x01",
    "x" * 200_000,
]
TAGS = ["a b", "a,b", "a=b", 'a"b', "a\\b", "ünï 🦆", "#datatype", "'", "${x}", "null"]


def field(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def tag(text: str) -> str:
    for character in ",= ":
        text = text.replace(character, "\\" + character)
    return text


def read(client: InfluxClient, bucket: str, extra: str = "") -> tuple[list[dict[str, Any]], list[pa.Table]]:
    flux = f'from(bucket: "{bucket}") |> range(start: 0) |> drop(columns: ["_start", "_stop"]){extra}'
    return client.query(flux), client.query_arrow(flux)


def test_strings_come_back_when_they_are_hostile(
    client: InfluxClient, bucket_factory: Callable[[], str]
) -> None:
    bucket = bucket_factory()
    lines = [f"m,n={number:02d} s={field(text)} {number + 1}" for number, text in enumerate(TEXTS)]
    client.write_lines(bucket, lines)
    rows, (table,) = read(client, bucket)
    assert [row["_value"] for row in sorted(rows, key=lambda row: row["n"])] == TEXTS
    assert [row["_value"] for row in sorted(table.to_pylist(), key=lambda row: row["n"])] == TEXTS


def test_empty_string_comes_back_as_empty_when_written(
    client: InfluxClient, bucket_factory: Callable[[], str]
) -> None:
    bucket = bucket_factory()
    client.write_lines(bucket, ['m s="" 1', 'm s="x" 2'])
    rows, (table,) = read(client, bucket)
    assert [row["_value"] for row in rows] == table["_value"].to_pylist() == ["", "x"]


def test_tags_come_back_when_they_are_hostile(
    client: InfluxClient, bucket_factory: Callable[[], str]
) -> None:
    bucket = bucket_factory()
    client.write_lines(bucket, [f"m,{tag(text)}=k,t={tag(text)} v={n} 1" for n, text in enumerate(TAGS)])
    rows, tables = read(client, bucket)
    by_value = sorted(rows, key=lambda row: row["_value"])
    assert [row["t"] for row in by_value] == TAGS
    assert [row[text] for row, text in zip(by_value, TAGS, strict=True)] == ["k"] * len(TAGS)
    from_arrow = sorted((row for table in tables for row in table.to_pylist()), key=lambda row: row["_value"])
    assert [row["t"] for row in from_arrow] == TAGS
    assert all(isinstance(table.schema.field("t").type, pa.DictionaryType) for table in tables)


def test_tags_stay_when_they_are_called_result_and_table(
    client: InfluxClient, bucket_factory: Callable[[], str]
) -> None:
    bucket = bucket_factory()
    client.write_lines(bucket, ["m,result=good,table=oak v=1 1"])
    (table,) = client.query_arrow(f'from(bucket: "{bucket}") |> range(start: 0)')
    assert table.select(["result", "table", "_value"]).to_pylist() == [
        {"result": "good", "table": "oak", "_value": 1.0}
    ]
    assert table.schema.metadata[b"result"] == b"_result"


NUMBERS: dict[str, tuple[list[str], list[Any], pa.DataType]] = {
    "int": (
        ["-9223372036854775808i", "-1i", "9223372036854775807i", "9007199254740993i"],
        [-(2**63), -1, 2**63 - 1, 2**53 + 1],
        pa.int64(),
    ),
    "uint": (["0u", "18446744073709551615u"], [0, 2**64 - 1], pa.uint64()),
    "float": (
        ["5e-324", "1.7976931348623157e308", "-0.1", "0.30000000000000004", "1e21"],
        [5e-324, 1.7976931348623157e308, -0.1, 0.30000000000000004, 1e21],
        pa.float64(),
    ),
    "bool": (["true", "false"], [True, False], pa.bool_()),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_come_back_exactly_when_they_are_extreme(
    client: InfluxClient, bucket_factory: Callable[[], str], kind: str
) -> None:
    texts, values, arrow = NUMBERS[kind]
    bucket = bucket_factory()
    client.write_lines(bucket, [f"m v={text} {number + 1}" for number, text in enumerate(texts)])
    rows, (table,) = read(client, bucket)
    assert [row["_value"] for row in rows] == values
    assert {type(row["_value"]) for row in rows} == {type(values[0])}
    assert table["_value"].to_pylist() == values
    assert table.schema.field("_value").type == arrow


def test_infinities_come_back_when_flux_computes_them(client: InfluxClient) -> None:
    flux = 'import "array" array.from(rows: [{a: 1.0 / 0.0, b: -1.0 / 0.0, c: 0.0 / 0.0}])'
    (row,) = client.query(flux)
    (table,) = client.query_arrow(flux)
    for found in (row, table.to_pylist()[0]):
        assert (found["a"], found["b"]) == (math.inf, -math.inf)
        assert math.isnan(found["c"])


def test_times_keep_their_nanoseconds_in_arrow_when_rows_cut_them(
    client: InfluxClient, bucket_factory: Callable[[], str]
) -> None:
    bucket = bucket_factory()
    times = [1, 999, 1_767_225_600_123_456_789]
    client.write_lines(bucket, [f"m v=1 {ns}" for ns in times])
    rows, (table,) = read(client, bucket)
    assert table["_time"].cast(pa.int64()).to_pylist() == times
    assert [row["_time"].microsecond for row in rows] == [0, 0, 123456]
    assert all(row["_time"].utcoffset().total_seconds() == 0 for row in rows)


def test_missing_values_are_none_when_a_pivot_leaves_holes(
    client: InfluxClient, bucket_factory: Callable[[], str]
) -> None:
    bucket = bucket_factory()
    client.write_lines(bucket, ["m a=1 1", "m b=2i 2"])
    pivot = ' |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
    rows, (table,) = read(client, bucket, pivot)
    assert [(row["a"], row["b"]) for row in rows] == [(1.0, None), (None, 2)]
    assert table.select(["a", "b"]).to_pylist() == [{"a": 1.0, "b": None}, {"a": None, "b": 2}]


def test_bytes_are_refused_when_they_are_not_utf8(
    influx: Any, client: InfluxClient, bucket_factory: Callable[[], str]
) -> None:
    import urllib.request

    from airflow_provider_influx_rollup.exceptions import QueryFailed

    bucket = bucket_factory()
    request = urllib.request.Request(
        f"{influx.url}/api/v2/write?org={influx.org}&bucket={bucket}",
        data=b'm s="a\xffb" 1',
        headers={"Authorization": f"Token {influx.token}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 204
    for method in (client.query, client.query_arrow):
        with pytest.raises(QueryFailed, match=r"UTF-?8"):
            method(f'from(bucket: "{bucket}") |> range(start: 0)')


def test_many_lines_come_back_when_written_in_several_batches(
    client: InfluxClient, bucket_factory: Callable[[], str]
) -> None:
    bucket = bucket_factory()
    client.write_lines(bucket, (f"m,d=d{n % 100:02d} v={n}i {n + 1}" for n in range(25_000)))
    _, (table,) = read(client, bucket)
    assert sorted(table["_value"].to_pylist()) == list(range(25_000))
    assert sorted(set(table["d"].to_pylist())) == [f"d{n:02d}" for n in range(100)]
