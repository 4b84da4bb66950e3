"""Vectorised line protocol against an encoder that does one point after the other."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.exceptions import InvalidName
from airflow_provider_influx_rollup.flux.write_points import FluxPoint
from airflow_provider_influx_rollup.stores.point_lines import bodies_of, encode_points
from tests.scenes.plain_points import Point, plain_line

ARROW = {
    "float": pa.float64(),
    "integer": pa.int64(),
    "unsigned": pa.uint64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
}
TEXTS = st.text(st.sampled_from("ab,= \"'\\é😀\t"), min_size=1, max_size=6)


def is_writable(name: str) -> bool:
    """What no form of line protocol can hold is refused; a plain encoder does not know that."""
    return not (name.endswith("\\") or name[0] in "\t\0" or any(f"\\{one}" in name for one in ',= "'))


NAMES = TEXTS.filter(is_writable)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "float": st.one_of(
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from([-0.0, 5e-324, -5e-324, 1.7976931348623157e308, 1e16, 1e22, 0.1, 1 / 3, 2.0**53]),
    ),
    "integer": st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([-(2**63), 2**63 - 1, 0])),
    "unsigned": st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 2**64 - 1])),
    "boolean": st.booleans(),
    "string": st.text(st.sampled_from('ab,= "\\\n\0é😀\r'), max_size=12),
}


def batch_of(points: list[Point], tags: list[str], *, is_coded: bool = True) -> pa.RecordBatch:
    coded = pa.dictionary(pa.int32(), pa.string())
    columns: dict[str, Any] = {
        "_time": pa.array([point.time_ns for point in points], pa.int64()).cast(pa.timestamp("ns", tz="UTC"))
    }
    for tag in tags:
        texts = pa.array([dict(point.tags).get(tag) for point in points], pa.string())
        columns[tag] = texts.cast(coded) if is_coded else texts
    columns["_field"] = pa.array([point.field for point in points], pa.string()).cast(coded)
    columns["_value"] = pa.array([point.value for point in points], ARROW[points[0].kind])
    return pa.record_batch(columns)


@st.composite
def points_of_one_kind(draw: st.DrawFn) -> tuple[list[Point], list[str]]:
    kind = draw(st.sampled_from(sorted(ARROW)))
    keys = sorted(draw(st.lists(NAMES, min_size=0, max_size=3, unique=True)))
    made: list[Point] = []
    times: set[int] = set()
    for _ in range(draw(st.integers(1, 12))):
        tags = tuple((key, draw(NAMES)) for key in keys if draw(st.booleans()))
        time = draw(st.integers(-(2**63), 2**63 - 1).filter(lambda one: one not in times))
        times.add(time)
        made.append(Point(tags, draw(NAMES), kind, draw(VALUES[kind]), time))
    return made, keys


@given(points_of_one_kind(), st.booleans())
def test_lines_are_those_of_a_plain_encoder(drawn: tuple[list[Point], list[str]], is_coded: bool) -> None:
    points, keys = drawn
    reserved = {"time", "_field", "_measurement", "_time", "_start", "_stop", "_value"}
    assert not reserved.intersection(keys)
    lines = lines_of("m, x", batch_of(points, keys, is_coded=is_coded))
    by_time = {point.time_ns: point for point in points}
    assert len(lines) == len(points)
    for line in lines:
        point = by_time[int(line.rpartition(" ")[2])]
        assert line.endswith("\n")
        head, _, rest = plain_line("m, x", point).rpartition(" ")
        if point.kind != "float":
            assert line == f"{head} {rest}\n"
            continue
        # the shortest text may be another one, as long as it is of the same bits
        begin, _, value = head.rpartition("=")
        text = line.removesuffix(f" {rest}\n").removeprefix(f"{begin}=")
        assert float(text).hex() == float(value).hex()


def lines_of(measurement: str, batch: pa.RecordBatch) -> list[str]:
    text = b"".join(body for body, _ in encode_points(measurement, [batch])).decode()
    ends = [found.end() for found in re.finditer(r" -?\d+\n", text)]
    # every line ends with its time; a text of a field never has a space, digits and a line feed in this order
    return [text[start:end] for start, end in pairwise([0, *ends])]


SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    **VALUES,
    "float": st.sampled_from([0.5, -1.5]),
    # a line feed inside a text would look like the end of a line here
    "string": st.text(st.sampled_from('ab,= "\\é'), max_size=6),
}
PLAIN_NAMES = st.text(st.sampled_from("ab,= é"), min_size=1, max_size=3)


@st.composite
def rows_of_many_fields(draw: st.DrawFn) -> list[list[Point]]:
    """Some kinds; each has fields of its own, and few series and times, so that they meet."""
    kinds = draw(st.lists(st.sampled_from(sorted(ARROW)), min_size=1, max_size=5, unique=True))
    keys = draw(st.lists(PLAIN_NAMES, min_size=1, max_size=2, unique=True))
    drawn = []
    for kind in kinds:
        places = st.tuples(st.sampled_from(keys), st.integers(0, 2), st.sampled_from(["x", "y"]))
        some = draw(st.lists(places, min_size=1, max_size=12, unique=True))
        drawn.append(
            [
                Point((("tag", tag),), f"{kind} {name}", kind, draw(SIMPLE[kind]), time)
                for tag, time, name in some
            ]
        )
    return drawn


@given(rows_of_many_fields())
def test_fields_of_a_series_and_time_share_a_line_when_they_come_together(drawn: list[list[Point]]) -> None:
    batches = [batch_of(points, ["tag"]) for points in drawn]
    bodies = list(encode_points("m", batches))
    expected: dict[tuple[str, str], list[str]] = {}
    for point in (point for points in drawn for point in points):
        series, body, time = parts_of(plain_line("m", point), point)
        expected.setdefault((series, time), []).append(body)
    text = b"".join(body for body, _ in bodies).decode()
    wanted = [f"{series} {','.join(fields)} {time}" for (series, time), fields in expected.items()]
    assert sorted(text.splitlines()) == sorted(wanted)
    assert sum(count for _, count in bodies) == sum(map(len, drawn))


def parts_of(line: str, point: Point) -> tuple[str, str, str]:
    """A line's series, fields and time."""
    rest, _, time = line.rpartition(" ")
    place = rest.index(f" {point.kind}")
    return rest[:place], rest[place + 1 :], time


def test_points_stay_in_lines_of_their_own_when_a_name_has_a_quote() -> None:
    points = [
        [Point((("tag", 'quo"te'),), f"f{kind}", kind, value, 7)]
        for kind, value in (("float", 1.5), ("integer", 2))
    ]
    bodies = list(encode_points("m", [batch_of(some, ["tag"]) for some in points]))
    text = b"".join(body for body, _ in bodies).decode()
    assert text == "".join(f"{plain_line('m', point)}\n" for some in points for point in some)


def test_a_line_goes_alone_when_the_server_would_take_the_next_one_for_a_part_of_it() -> None:
    names = ['quo"te', "plain", 'a"\\,b']
    points = [Point((("tag", name),), "f", "float", 1.5, row) for row, name in enumerate(names)]
    bodies = [count for _, count in encode_points("m", [batch_of(points, ["tag"])])]
    assert bodies == [1, 2]


def test_series_stay_apart_when_tags_have_more_combinations_than_64_bits() -> None:
    tags = [f"t{number}" for number in range(8)]
    points = [
        Point(
            tuple((tag, f"v{(row * 7 + place * 13) % 300}") for place, tag in enumerate(tags)),
            "f",
            "integer",
            row,
            row,
        )
        for row in range(300)
    ]
    lines = lines_of("m", batch_of(points, tags))
    assert lines == [f"{plain_line('m', point)}\n" for point in points]


@pytest.mark.parametrize("name", ["a\\", "a\nb", "a\\\\\nb"])
def test_a_name_is_refused_when_line_protocol_cannot_hold_it(name: str) -> None:
    point = Point((("tag", name),), "f", "float", 1.0, 0)
    with pytest.raises(InvalidName):
        list(encode_points("m", [batch_of([point], ["tag"])]))


def test_points_that_line_protocol_cannot_hold_are_put_aside_when_something_takes_them() -> None:
    points = [
        Point((("tag", tag),) if tag else (), "f", "float", float(row), row)
        for row, tag in enumerate(["a\\", "b", "", "a\nb", "c", "a\\"])
    ]
    unheld: list[FluxPoint] = []
    bodies = list(encode_points("m", [batch_of(points, ["tag"])], unheld))
    assert bodies == [(b"m,tag=b f=1 1\nm f=2 2\nm,tag=c f=4 4\n", 3)]
    assert [(one.tags, one.value, one.time_ns) for one in unheld] == [
        ((("tag", "a\\"),), 0.0, 0),
        ((("tag", "a\nb"),), 3.0, 3),
        ((("tag", "a\\"),), 5.0, 5),
    ]


def test_bodies_hold_all_lines_when_they_are_cut() -> None:
    long = "x" * 3_000_000
    points = [Point((), "f", "string", long if row in (3, 4) else "y", row) for row in range(10_010)]
    lines = pa.array([f"{plain_line('m', point)}\n" for point in points], pa.large_string()).slice(2)
    bodies = list(bodies_of(lines, np.ones(len(lines), np.int64)))
    assert b"".join(body for body, _ in bodies).decode() == "".join(lines.to_pylist())
    assert list(encode_points("m", [batch_of(points, []).slice(2)])) == bodies
    assert [body.count(b"\n") for body, _ in bodies] == [count for _, count in bodies]
    assert len(bodies) == 3
    assert max(len(body) for body, _ in bodies) < 5_000_000
