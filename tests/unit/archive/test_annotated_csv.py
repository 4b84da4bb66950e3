"""The splitter and both decoders: every border of a hostile answer, at every place the bytes may be cut."""

from __future__ import annotations

import csv
import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.archive.annotated_arrow import ArrowDecoder, merge_tables
from airflow_provider_influx_rollup.archive.annotated_csv import BlockSplitter, parse_records
from airflow_provider_influx_rollup.archive.annotated_rows import RowDecoder
from airflow_provider_influx_rollup.exceptions import InfluxTruncated, QueryFailed

HEAD_S = (
    "#datatype,string,long,string,string\r\n"
    "#group,false,false,false,true\r\n"
    "#default,{yield_name},,,\r\n"
    ',result,table,_value,"tag,""key"\r\n'
)
HEAD_F = (
    "#datatype,string,long,dateTime:RFC3339,double,boolean\r\n"
    "#group,false,false,false,false,false\r\n"
    "#default,two,,,,\r\n"
    ",result,table,_time,_value,ok\r\n"
)
ERROR = "#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n"
HOSTILE = (
    HEAD_S.format(yield_name="one")
    + ',,0,"x\r\n\r\n#datatype,string\r\ny",a\r\n'
    + ",,0,,a\r\n"
    + ',,1,"""","b ""c"""\r\n'
    + ',,1,"\r\n","b ""c"""\r\n'
    + "\r\n"
    + HEAD_S.format(yield_name="empty")
    + "\r\n\r\n"
    + HEAD_F
    + ",,2,2026-01-01T00:00:00.123456789Z,1.5,true\r\n,,2,2026-01-01T00:00:01Z,,false\r\n\r\n"
    + HEAD_S.format(yield_name="one")
    + ",,3,é🦆,a\r\n\r\n"
)
KEY = 'tag,"key'
ROWS: list[dict[str, Any]] = [
    {"result": "one", "table": 0, "_value": "x\n\n#datatype,string\ny", KEY: "a"},
    {"result": "one", "table": 0, "_value": "", KEY: "a"},
    {"result": "one", "table": 1, "_value": '"', KEY: 'b "c"'},
    {"result": "one", "table": 1, "_value": "\n", KEY: 'b "c"'},
    {
        "result": "two",
        "table": 2,
        "_time": datetime(2026, 1, 1, 0, 0, 0, 123456, UTC),
        "_value": 1.5,
        "ok": True,
    },
    {
        "result": "two",
        "table": 2,
        "_time": datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC),
        "_value": None,
        "ok": False,
    },
    {"result": "one", "table": 3, "_value": "é🦆", KEY: "a"},
]


def read_rows(pieces: list[bytes]) -> list[dict[str, Any]]:
    decoder = RowDecoder(QueryFailed)
    for piece in pieces:
        decoder.feed(piece)
    return [row.with_yield() for row in decoder.close()]


def read_arrow(pieces: list[bytes]) -> list[tuple[bytes, list[dict[str, Any]]]]:
    decoder = ArrowDecoder(QueryFailed)
    tables = [table for piece in pieces for table in decoder.feed(piece)]
    return [
        (table.schema.metadata[b"result"], table.drop_columns(["_time"]).to_pylist())
        if "_time" in table.column_names
        else (table.schema.metadata[b"result"], table.to_pylist())
        for table in merge_tables([*tables, *decoder.close()])
    ]


ARROW = [
    (b"one", [{"_value": row["_value"], KEY: row[KEY]} for row in ROWS if KEY in row]),
    (b"two", [{"_value": row["_value"], "ok": row["ok"]} for row in ROWS if "ok" in row]),
]


@pytest.mark.parametrize(("read", "expected"), [(read_rows, ROWS), (read_arrow, ARROW)])
def test_answer_is_the_same_when_it_comes_in_two_pieces_cut_anywhere(read: Any, expected: Any) -> None:
    body = HOSTILE.encode()
    for cut in range(len(body) + 1):
        assert read([body[:cut], body[cut:]]) == expected, cut


def test_answer_is_the_same_when_it_comes_byte_by_byte() -> None:
    pieces = [bytes([byte]) for byte in HOSTILE.encode()]
    assert read_rows(pieces) == ROWS
    assert read_arrow(pieces) == ARROW


@given(cuts=st.lists(st.integers(0, len(HOSTILE.encode())), max_size=8), segment_bytes=st.integers(1, 300))
def test_segments_hold_whole_records_when_they_are_short(cuts: list[int], segment_bytes: int) -> None:
    body = HOSTILE.encode()
    splitter = BlockSplitter(QueryFailed, segment_bytes=segment_bytes)
    borders = [0, *sorted(cuts), len(body)]
    values = []
    for start, stop in itertools.pairwise(borders):
        for segment in splitter.feed(body[start:stop]):
            assert segment.data.endswith(b"\r\n")
            assert segment.is_quoted == (b'"' in segment.data)
            position = segment.block.names.index("_value") + 1
            values += [record[position] for record in parse_records(segment.data.decode())]
    splitter.close()
    assert values == ["" if row["_value"] is None else str(row["_value"]) for row in ROWS]


def quoted(text: str) -> str:
    return '"' + text.replace("\n", "\r\n").replace('"', '""') + '"'


def test_texts_come_back_when_one_is_longer_than_the_csv_module_takes() -> None:
    cells = [('{"a": [1,\n2]}\n' * 20_000, 'x""'), ("", '"'), ('{"b": 3}', "\n")]
    assert len(cells[0][0]) > csv.field_size_limit()
    records = "".join(f",,0,{quoted(value)},{quoted(tag)}\r\n" for value, tag in cells)
    rows = read_rows([(HEAD_S.format(yield_name="x") + records + "\r\n").encode()])
    assert [(row["_value"], row[KEY]) for row in rows] == cells


@pytest.mark.parametrize("end", ["", "\r\n"])
def test_newline_in_quotes_is_one_when_the_last_record_has_no_end(end: str) -> None:
    assert parse_records(f'x,"a\r\nb"{end}') == [["x", "a\nb"]]


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r") | st.sampled_from('",\n#'), max_size=12)


@given(
    cells=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8),
    cuts=st.lists(st.integers(0, 400), max_size=4),
)
def test_texts_come_back_when_they_hold_any_character(cells: list[tuple[str, str]], cuts: list[int]) -> None:
    head = HEAD_S.format(yield_name="x")
    records = "".join(f",,0,{quoted(value)},{quoted(tag)}\r\n" for value, tag in cells)
    body = (head + records + "\r\n").encode()
    borders = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [body[start:stop] for start, stop in itertools.pairwise(borders)]
    assert [(row["_value"], row[KEY]) for row in read_rows(pieces)] == cells
    arrow = [(row["_value"], row[KEY]) for _, rows in read_arrow(pieces) for row in rows]
    assert arrow == cells


@pytest.mark.parametrize("read", [read_rows, read_arrow])
def test_truncated_is_raised_when_the_answer_stops_anywhere_inside_a_block(read: Any) -> None:
    body = HOSTILE.encode()
    first = body.index(b"\r\n\r\n#datatype,string,long,string,string") + 4
    for stop in range(first):
        with pytest.raises(InfluxTruncated):
            read([body[:stop]])
    assert read([body[:first]])  # the control: a whole block is accepted


@pytest.mark.parametrize("read", [read_rows, read_arrow])
def test_empty_list_is_returned_when_the_answer_is_an_empty_line(read: Any) -> None:
    assert read([b"\r\n"]) == []


def test_no_bytes_are_accepted_when_the_answer_may_be_empty() -> None:
    splitter = BlockSplitter(QueryFailed, may_be_empty=True)
    assert splitter.feed(b"") == []
    splitter.close()
    with pytest.raises(InfluxTruncated):
        BlockSplitter(QueryFailed).close()


@pytest.mark.parametrize("read", [read_rows, read_arrow])
@pytest.mark.parametrize("before", ["", HOSTILE])
def test_error_is_raised_when_the_answer_ends_with_an_error_block(read: Any, before: str) -> None:
    body = (before + ERROR + ',"bad, ""very""\r\nbad",897\r\n').encode()
    for cut in range(len(body)):
        with pytest.raises(QueryFailed) as caught:
            read([body[:cut], body[cut:]])
        assert caught.value.what == 'bad, "very"\nbad'


@pytest.mark.parametrize("read", [read_rows, read_arrow])
def test_truncated_is_raised_when_an_error_block_is_cut(read: Any) -> None:
    body = (ERROR + ",bad thing,897\r\n").encode()
    for stop in range(len(body)):
        with pytest.raises(InfluxTruncated):
            read([body[:stop]])


@pytest.mark.parametrize("read", [read_rows, read_arrow])
def test_servers_message_is_raised_when_a_panic_follows_rows(read: Any) -> None:
    panic = b'{"code":"internal error","message":"a panic has occurred: oh"}'
    body = HEAD_F.encode() + b",,2,2026-01-01T00:00:00Z,1,true\r\n"
    for answer in (body + panic, panic, body + b"\r\n" + panic):
        with pytest.raises(QueryFailed, match="a panic has occurred: oh"):
            read([answer])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>login</html>", "not annotated CSV"),
        (b",result,table\r\n,,0\r\n\r\n", "not annotated CSV"),
        (b"#group,false\r\n#default,\r\n,result\r\n,,\r\n\r\n", "no #datatype annotation"),
        (
            b"#datatype,string,long\r\n#group,false\r\n#default,,\r\n,result,table\r\n,,0\r\n\r\n",
            "do not fit",
        ),
        (HEAD_F.encode() + b",,2,2026-01-01T00:00:00Z,1\r\n\r\n", "cells|cannot be read"),
        (HEAD_F.encode() + b",,2,2026-01-01T00:00:00Z,one,true\r\n\r\n", "cannot be read"),
        (HEAD_S.format(yield_name="x").encode() + b",,0,a\xffb,t\r\n\r\n", "UTF-?8"),
    ],
)
@pytest.mark.parametrize("read", [read_rows, read_arrow])
def test_error_is_raised_when_the_answer_is_malformed(read: Any, body: bytes, message: str) -> None:
    with pytest.raises(QueryFailed, match=message):
        read([body])


@pytest.mark.parametrize("name", ["result", "table"])
def test_tag_is_told_from_the_yield_when_it_has_the_name_of_its_column(name: str) -> None:
    body = (
        "#datatype,string,long,string\r\n#group,false,false,true\r\n#default,x,,\r\n"
        f",result,table,{name}\r\n,,3,oak\r\n\r\n"
    ).encode()
    decoder = RowDecoder(QueryFailed)
    decoder.feed(body)
    (row,) = decoder.close()
    assert (row, row.yield_name, row.table_number) == ({name: "oak"}, "x", 3)
    assert row.group_key == {name}
    assert row.with_yield() == {"result": "x", "table": 3, name: "oak"}
    assert read_arrow([body]) == [(b"x", [{name: "oak"}])]


@pytest.mark.parametrize("read", [read_rows, read_arrow])
def test_two_columns_of_one_name_are_refused_when_one_would_be_lost(read: Any) -> None:
    body = (
        "#datatype,string,long,string,string\r\n#group,false,false,true,true\r\n#default,x,,,\r\n"
        ",result,table,_start,_start\r\n,,0,a,b\r\n\r\n"
    )
    with pytest.raises(QueryFailed, match="two columns of the name _start"):
        read([body.encode()])


def test_default_stands_in_when_a_cell_is_empty() -> None:
    body = (
        "#datatype,string,long,string,string,long\r\n#group,false,false,true,false,false\r\n#default,x,,k,t,7\r\n"
        ",result,table,key,text,number\r\n,,0,,,\r\n,,0,a,b,1\r\n\r\n"
    )
    expected = [{"key": "k", "text": "t", "number": 7}, {"key": "a", "text": "b", "number": 1}]
    assert read_arrow([body.encode()]) == [(b"x", expected)]
    assert read_rows([body.encode()]) == [{"result": "x", "table": 0, **row} for row in expected]
