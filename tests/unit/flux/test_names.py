"""Names that InfluxDB can hold."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.exceptions import InvalidName
from airflow_provider_influx_rollup.flux.names import NameKind, validate_name, validate_written_measurement


@pytest.mark.parametrize("kind", ["bucket", "measurement", "tag", "field", "validation"])
@pytest.mark.parametrize("text", ["", "a\nb", "a\0b", "\ud800"])
def test_a_name_is_refused_when_no_kind_can_carry_it(kind: NameKind, text: str) -> None:
    with pytest.raises(InvalidName, match=f"the {kind} name"):
        validate_name(kind, text)


@pytest.mark.parametrize("kind", ["bucket", "measurement", "tag", "validation"])
def test_a_carriage_return_is_refused_when_neither_a_field_nor_a_tag_value_has_it(kind: NameKind) -> None:
    with pytest.raises(InvalidName, match="carriage return"):
        validate_name(kind, "a\rb")
    assert validate_name("field", "a\rb") == validate_name("tag value", "a\rb") == "a\rb"


@pytest.mark.parametrize(
    ("kind", "text"),
    [("bucket", 'a"b'), ("measurement", "m\\"), ("tag", "t\\"), ("validation", "v\\"),
     ("field", "f\\"), ("field", "time"), ("tag", "time"), ("tag", "_field"), ("tag", "_start"), ("tag", "_value")],
)  # fmt: skip
def test_a_name_is_refused_when_its_kind_cannot_carry_it(kind: NameKind, text: str) -> None:
    with pytest.raises(InvalidName, match="cannot be used"):
        validate_name(kind, text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("bucket", "a\\"), ("measurement", "a#b"), ("measurement", "#m"), ("measurement", "time"), ("tag", "a\tb"), ("field", "_value"),
     ("tag value", "#1"), ("tag value", "time"), ("tag", "table"), ("tag", "result"), ("tag", "error"), ("field", 'sp ace,co="')],
)  # fmt: skip
def test_a_name_is_returned_when_it_is_odd_but_valid(kind: NameKind, text: str) -> None:
    assert validate_name(kind, text) == text


@pytest.mark.parametrize("text", ["v\\", "a\nb", "\0", "\r"])
def test_a_tag_value_may_be_any_text(text: str) -> None:
    assert validate_name("tag value", text) == text


def test_measurement_is_read_but_not_written_when_its_lines_would_be_comments() -> None:
    assert validate_written_measurement("a#b") == "a#b"
    with pytest.raises(InvalidName, match="begins with #"):
        validate_written_measurement("#m")
