"""Lines are compared with text that was written by hand from the line protocol's own rules."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError, InvalidName
from airflow_provider_influx_rollup.ledger.line_protocol import UInt, encode_line


def test_tags_and_fields_are_sorted_when_given_in_any_order() -> None:
    line = encode_line("m", {"b": "2", "a": "1"}, {"y": 1.5, "x": True}, 7)
    assert line == "m,a=1,b=2 x=true,y=1.5 7"


def test_empty_tag_is_left_out_when_others_have_values() -> None:
    assert encode_line("m", {"a": "", "b": "x"}, {"f": 1}, 0) == "m,b=x f=1i 0"


def test_no_comma_is_left_when_all_tags_are_empty() -> None:
    assert encode_line("m", {"a": ""}, {"f": 1}, 0) == "m f=1i 0"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1i"),
        (-(2**63), "-9223372036854775808i"),
        (UInt(2**64 - 1), "18446744073709551615u"),
        (1.0, "1.0"),
        (1e300, "1e+300"),
        (-0.0, "-0.0"),
        (True, "true"),
        (False, "false"),
        ("", '""'),
        ('say "hi" \\o/', '"say \\"hi\\" \\\\o/"'),
        ("two\nlines", '"two\nlines"'),
    ],
)
def test_type_is_kept_when_a_value_is_written(value: float | str, text: str) -> None:
    assert encode_line("m", {}, {"f": value}, 0) == f"m f={text} 0"


def test_specials_are_escaped_when_they_are_in_names() -> None:
    line = encode_line("a b,c=d", {"k =,": "v =,\\ x"}, {"f =,": 1}, 0)
    assert line == "a\\ b\\,c=d,k\\ \\=\\,=v\\ \\=\\,\\\\ x f\\ \\=\\,=1i 0"


@pytest.mark.parametrize(
    "name",
    ["", "#m", "a\nb", "a\\", "\ta", "\0a", "a\\ b", "a\\,b", "a\\=b", "\ud800"],
)
def test_measurement_is_refused_when_the_server_would_not_read_it_back(name: str) -> None:
    with pytest.raises(InvalidName):
        encode_line(name, {}, {"f": 1}, 0)


@pytest.mark.parametrize(
    "key", ["", "time", "_field", "_measurement", "_time", "_value", "_start", "_stop", "a\\"]
)
def test_tag_key_is_refused_when_reserved_or_unreadable(key: str) -> None:
    with pytest.raises(InvalidName):
        encode_line("m", {key: "x"}, {"f": 1}, 0)


@pytest.mark.parametrize("value", ["a\\", "a\nb", "\udfff"])
def test_tag_value_is_refused_when_unreadable(value: str) -> None:
    with pytest.raises(InvalidName):
        encode_line("m", {"a": value}, {"f": 1}, 0)


@pytest.mark.parametrize("key", ["", "time", "a\\", "a\\ b", "\tf"])
def test_field_is_refused_when_reserved_or_unreadable(key: str) -> None:
    with pytest.raises(InvalidName):
        encode_line("m", {}, {key: 1}, 0)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), -float("inf"), 2**63, UInt(2**64), UInt(-1), None, b"x", "\ud800"],
)
def test_value_is_refused_when_influxdb_has_no_such_value(value: float) -> None:
    with pytest.raises(ConfigurationError):
        encode_line("m", {}, {"f": value}, 0)


@pytest.mark.parametrize(
    ("tags", "field"),
    [({}, 'a"b'), ({'k"': "v"}, "f"), ({"k": '"v'}, "f")],
    ids=["field", "tag key", "tag value"],
)
def test_point_is_refused_when_an_equals_sign_and_a_quote_would_hide_the_next_line(
    tags: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidName, match="double quote"):
        encode_line("a=b", tags, {field: 1}, 0)
    assert encode_line("ab", tags, {field: 1}, 0)


def test_point_is_refused_when_it_has_no_field() -> None:
    with pytest.raises(ConfigurationError, match="no field"):
        encode_line("m", {"a": "b"}, {}, 0)


def test_point_is_refused_when_its_time_is_out_of_range() -> None:
    with pytest.raises(ConfigurationError, match="64 bit"):
        encode_line("m", {}, {"f": 1}, 2**63)
