"""Arrow tables: types, dictionaries, extremes, batches and speed."""

from __future__ import annotations

import math
import time

import pyarrow as pa
import pytest

from airflow_provider_influx_rollup.archive.annotated_arrow import ArrowDecoder, merge_tables
from airflow_provider_influx_rollup.archive.arrow_schema import TEXT_OF_KEY, TIME, arrow_type
from airflow_provider_influx_rollup.exceptions import QueryFailed

HEAD = (
    "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,{kind},string,string,string\r\n"
    "#group,false,false,true,true,false,false,true,true,true\r\n"
    "#default,_result,,,,,,,,\r\n"
    ",result,table,_start,_stop,_time,_value,_field,_measurement,device\r\n"
)


def series(number: int, count: int, value: str = "20.123456789{}") -> str:
    return "".join(
        f",,{number},2026-01-01T00:00:00Z,2026-01-08T00:00:00Z,2026-01-01T{i // 360:02d}:{i // 6 % 60:02d}:{i % 6}0Z,"
        f"{value.format(i)},temp,sensors,dev{number}\r\n"
        for i in range(count)
    )


def read(body: bytes, batch_bytes: int = 16 << 20, piece_bytes: int = 1 << 18) -> list[pa.Table]:
    decoder = ArrowDecoder(QueryFailed, batch_bytes=batch_bytes)
    tables = []
    for start in range(0, len(body), piece_bytes):
        tables += decoder.feed(body[start : start + piece_bytes])
    return merge_tables([*tables, *decoder.close()])


@pytest.mark.parametrize(
    ("flux_type", "name", "expected"),
    [
        ("long", "_value", pa.int64()),
        ("unsignedLong", "_value", pa.uint64()),
        ("double", "device", pa.float64()),
        ("boolean", "_value", pa.bool_()),
        ("dateTime:RFC3339Nano", "device", TIME),
        ("string", "device", TEXT_OF_KEY),
        ("string", "_value", pa.string()),
        ("duration", "device", pa.string()),
        ("base64Binary", "_value", pa.string()),
    ],
)
def test_arrow_type_follows_the_flux_type_when_known(
    flux_type: str, name: str, expected: pa.DataType
) -> None:
    assert arrow_type(flux_type, name) == expected


def test_numbers_are_exact_when_they_are_extreme() -> None:
    columns = {
        "long": ["-9223372036854775808", "9223372036854775807"],
        "unsignedLong": ["0", "18446744073709551615"],
        "double": ["NaN", "+Inf", "-Inf", "-0", "5e-324", "1.7976931348623157e+308"],
    }
    got = {}
    for kind, texts in columns.items():
        body = HEAD.format(kind=kind) + "".join(series(0, 1, text) for text in texts) + "\r\n"
        (table,) = read(body.encode())
        got[kind] = table["_value"].to_pylist()
    assert got["long"] == [-(2**63), 2**63 - 1]
    assert got["unsignedLong"] == [0, 2**64 - 1]
    assert math.isnan(got["double"][0])
    assert got["double"][1:] == [math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308]
    assert math.copysign(1, got["double"][3]) == -1


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1677-09-21T00:12:43.145224194Z", -(2**63) + 2),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2026-01-01T00:00:00.000000001Z", 1_767_225_600_000_000_001),
        ("2262-04-11T23:47:16.854775806Z", 2**63 - 2),
    ],
)
def test_times_are_exact_to_the_nanosecond_when_at_either_end(text: str, nanoseconds: int) -> None:
    record = f",,0,{text},2026-01-08T00:00:00Z,{text},1,temp,sensors,dev\r\n"
    (table,) = read((HEAD.format(kind="double") + record + "\r\n").encode())
    assert table["_time"].cast(pa.int64()).to_pylist() == [nanoseconds]
    assert table["_start"].cast(pa.int64()).to_pylist() == [nanoseconds]
    assert table.schema.field("_time").type == TIME


@pytest.mark.parametrize("batch_bytes", [1, 5_000, 16 << 20])
def test_tables_of_one_schema_join_when_batches_are_of_any_size(batch_bytes: int) -> None:
    floats, longs = HEAD.format(kind="double"), HEAD.format(kind="long")
    body = "".join(
        floats + series(number, 20) + "\r\n" + longs + series(number, 30, "{}") + "\r\n"
        for number in range(20)
    )
    tables = read(body.encode(), batch_bytes, piece_bytes=777)
    assert [(table.num_rows, table.schema.field("_value").type) for table in tables] == [
        (400, pa.float64()),
        (600, pa.int64()),
    ]
    devices = tables[0]["device"]
    assert devices.type == TEXT_OF_KEY
    assert devices.to_pylist() == [f"dev{number}" for number in range(20) for _ in range(20)]
    assert len({chunk.dictionary.to_pylist().__repr__() for chunk in devices.chunks}) == 1


@pytest.mark.parametrize("is_quoted", [False, True])
def test_value_is_whole_when_it_is_longer_than_a_read_block(is_quoted: bool) -> None:
    long = "x" * 3_000_000
    cell = f'"{long},"' if is_quoted else long
    body = HEAD.format(kind="string") + series(0, 5, "a") + series(1, 1, cell) + series(2, 5, "b") + "\r\n"
    (table,) = read(body.encode())
    expected = long + "," if is_quoted else long
    assert table["_value"].to_pylist() == ["a"] * 5 + [expected] + ["b"] * 5


def cpu_seconds(body: bytes) -> tuple[float, list[pa.Table]]:
    """CPU time of the best of three: other work on the machine does not count."""
    best, tables = math.inf, []
    for _ in range(3):
        begin = time.process_time()
        tables = read(body)
        best = min(best, time.process_time() - begin)
    return best, tables


@pytest.mark.bench
def test_parse_rate_is_over_900_000_rows_a_second_when_there_are_1000_series() -> None:
    body = HEAD.format(kind="double") + "".join(series(number, 400) for number in range(1000)) + "\r\n"
    seconds, (table,) = cpu_seconds(body.encode())
    assert table.num_rows == 400_000
    assert table.num_rows / seconds > 900_000


@pytest.mark.bench
@pytest.mark.parametrize("has_own_header", [False, True])
def test_6000_tables_of_4_rows_take_under_150_ms_when_parsed(has_own_header: bool) -> None:
    heads = [HEAD.format(kind="double"), HEAD.format(kind="long")]
    parts = [heads[0]]
    for number in range(6000):
        if has_own_header and number:
            parts += ["\r\n", heads[number % 2]]
        parts.append(series(number, 4, "{}"))
    seconds, tables = cpu_seconds("".join([*parts, "\r\n"]).encode())
    assert sum(table.num_rows for table in tables) == 24_000
    assert seconds < 0.15
