from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.validate.clean import CleanWriter
from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec
from airflow_provider_influx_rollup.validation.catalog import rules_of
from airflow_provider_influx_rollup.validation.points import Part, Points, Registry
from airflow_provider_influx_rollup.validation.transformations import transformations_of
from airflow_provider_influx_rollup.windows.interval import Interval

START = datetime(2025, 1, 1, tzinfo=UTC)
SPAN = Interval(START, START + timedelta(hours=1))
DTYPES: dict[str, Any] = {
    "float": np.float64,
    "integer": np.int64,
    "unsigned": np.uint64,
    "boolean": bool,
    "string": object,
}

Row = tuple[dict[str, str], int, Any]


def writer(*changes: dict[str, Any]) -> CleanWriter:
    made = transformations_of(changes)
    return CleanWriter(
        spec=ValidateSpec(
            bucket="raw",
            measurement="m",
            rules=rules_of([{"rule": "future"}]),
            clean_bucket="c",
            transformations=made,
        )
    )


def part(tables: dict[tuple[str, str], list[Row]]) -> Part:
    registry = Registry()
    made = []
    for (name, kind), rows in tables.items():
        values = np.empty(len(rows), DTYPES[kind])
        values[:] = [row[2] for row in rows]
        series = registry.numbers_of([tuple(sorted(row[0].items())) for row in rows])
        made.append(Points.sorted(name, kind, series, np.array([row[1] for row in rows], np.int64), values))
    return Part(SPAN, tuple(made), registry)


def lines(clean: CleanWriter, points: Part) -> list[str]:
    return clean.transform(points, {}).lines("m")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"transform": "rename_tag", "tag": "Site", "to": "site"}, "m,device=d\\ 1,site=A\\  temp=20 7"),
        (
            {"transform": "map_tag", "tag": "Site", "strip": True, "case": "lower", "values_to": {"a": "b"}},
            "m,Site=b,device=d\\ 1 temp=20 7",
        ),
        ({"transform": "map_tag", "tag": "Site", "values_to": {"A ": ""}}, "m,device=d\\ 1 temp=20 7"),
        ({"transform": "rename_field", "field": "temp", "to": "t"}, "m,Site=A\\ ,device=d\\ 1 t=20 7"),
        (
            {"transform": "scale_field", "field": "t*", "factor": 1.8, "offset": 32},
            "m,Site=A\\ ,device=d\\ 1 temp=68 7",
        ),
        (
            {"transform": "convert_field", "field": "temp", "to": "integer"},
            "m,Site=A\\ ,device=d\\ 1 temp=20i 7",
        ),
        (
            {"transform": "convert_field", "field": "temp", "to": "string"},
            'm,Site=A\\ ,device=d\\ 1 temp="20.0" 7',
        ),
        ({"transform": "scale_field", "field": "hum", "factor": 2}, "m,Site=A\\ ,device=d\\ 1 temp=20 7"),
    ],
    ids=str,
)
def test_point_is_changed_when_a_transformation_is_about_it(change: dict[str, Any], line: str) -> None:
    points = part({("temp", "float"): [({"device": "d 1", "Site": "A "}, 7, 20.0)]})
    assert lines(writer(change), points) == [line]


@pytest.mark.parametrize(
    ("kind", "values", "to", "kept"),
    [
        ("string", ["1.5", " 2 ", "nan", "x", "", "1e400"], "float", ["1.5", "2"]),
        (
            "string",
            ["7", "9007199254740993", "2.6", "1e30", "inf"],
            "integer",
            ["7i", "9007199254740993i", "3i"],
        ),
        ("float", [2.5, -2.6, 1e30], "integer", ["2i", "-3i"]),
        ("unsigned", [2**64 - 1, 5], "integer", ["5i"]),
        ("boolean", [True, False], "integer", ["1i", "0i"]),
        ("boolean", [True, False], "string", ['"true"', '"false"']),
        ("integer", [3], "float", ["3"]),
    ],
    ids=str,
)
def test_values_are_left_out_when_they_cannot_have_the_type(
    kind: str, values: list[Any], to: str, kept: list[str]
) -> None:
    points = part({("x", kind): [({}, at, value) for at, value in enumerate(values)]})
    clean = writer({"transform": "convert_field", "field": "x", "to": to})
    cleaned = clean.transform(points, {})
    found = [line.split("=")[1].rsplit(" ", 1)[0].removesuffix(".0") for line in cleaned.lines("m")]
    assert found == kept
    assert cleaned.lost == len(values) - len(kept)


def test_one_value_stays_when_two_series_become_one() -> None:
    # the one whose tags come first, whichever was met first
    rows = [({"site": "a"}, 1, 2.0), ({"site": "a"}, 2, 3.0), ({"site": "A"}, 1, 1.0)]
    clean = writer({"transform": "map_tag", "tag": "site", "case": "lower"})
    cleaned = clean.transform(part({("x", "float"): rows}), {})
    assert cleaned.lines("m") == ["m,site=a x=1 1", "m,site=a x=3 2"]
    assert cleaned.merged == 1


def test_fields_become_one_line_when_they_share_series_and_time() -> None:
    points = part(
        {
            ("b", "boolean"): [({"d": "1"}, 1, True)],
            ("f", "float"): [({"d": "1"}, 1, 0.1)],
            ("s", "string"): [({"d": "1"}, 1, 'a "b"\\'), ({"d": "1"}, 2, "")],
            ("u", "unsigned"): [({"d": "1"}, 1, 2**64 - 1)],
        }
    )
    assert lines(writer(), points) == [
        'm,d=1 b=true,f=0.1,s="a \\"b\\"\\\\",u=18446744073709551615u 1',
        'm,d=1 s="" 2',
    ]


def test_types_must_agree_when_fields_are_given_one_name() -> None:
    points = part({("t", "integer"): [({}, 1, 1)], ("temp", "float"): [({}, 2, 2.5)]})
    rename = {"transform": "rename_field", "field": "t", "to": "temp"}
    with pytest.raises(ConfigurationError, match=r"float and integer.*convert_field"):
        lines(writer(rename), points)
    convert = {"transform": "convert_field", "field": "t*", "to": "float"}
    assert lines(writer(convert, rename), points) == ["m temp=1 1", "m temp=2.5 2"]


def test_series_is_left_out_when_line_protocol_cannot_hold_it() -> None:
    points = part({("x", "float"): [({"d": "a\nb"}, 1, 1.0), ({"d": "a"}, 1, 2.0)]})
    cleaned = writer().transform(points, {})
    assert (cleaned.lines("m"), cleaned.lost) == (["m,d=a x=2 1"], 1)
