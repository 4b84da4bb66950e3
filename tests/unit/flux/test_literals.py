"""The exact text of Flux literals; tests/live/test_flux_literals.py shows that the server reads it back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from fnmatch import fnmatchcase

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.windows.duration import Duration


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("plain", '"plain"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("a\nb\rc\td", '"a\\nb\\rc\\td"'),
        ("${r._value}", '"\\x24{r._value}"'),
        ("\0\x7f", '"\\x00\\x7f"'),
        ("é\U0001f600", '"é\U0001f600"'),
        ("", '""'),
    ],
)
def test_a_string_is_escaped_when_flux_would_read_it_otherwise(text: str, literal: str) -> None:
    assert literals.string(text) == literal


def test_a_string_is_refused_when_utf8_cannot_carry_it() -> None:
    with pytest.raises(ConfigurationError, match="UTF-8"):
        literals.string("\ud800")


@pytest.mark.parametrize(
    ("number", "literal"),
    [(0, "0"), (-5, "-5"), (2**63 - 1, "9223372036854775807"), (-(2**63), "(-9223372036854775807 - 1)")],
)
def test_an_int_is_written_when_it_fits(number: int, literal: str) -> None:
    assert literals.integer(number) == literal


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, True, 1.0])
def test_an_int_is_refused_when_it_is_none_or_does_not_fit(number: int) -> None:
    with pytest.raises(ConfigurationError):
        literals.integer(number)


@pytest.mark.parametrize(
    ("number", "literal"),
    [(1.0, "1.0"), (-0.0, "-0.0"), (0.1, "0.1"), (1e22, "1" + "0" * 22 + ".0"), (1.5e-7, "0.00000015")],
)
def test_a_float_has_a_point_and_no_exponent_when_written(number: float, literal: str) -> None:
    assert literals.float_(number) == literal


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_float_is_refused_when_it_is_not_finite(number: float) -> None:
    with pytest.raises(ConfigurationError, match="no Flux literal"):
        literals.float_(number)


def test_a_time_is_written_in_utc_when_its_zone_is_another() -> None:
    east = timezone(timedelta(hours=2))
    assert literals.time(datetime(2024, 1, 1, 1, 30, 0, 250, east)) == "2023-12-31T23:30:00.00025Z"
    assert literals.time(1) == "1970-01-01T00:00:00.000000001Z"
    assert literals.time(-1) == "1969-12-31T23:59:59.999999999Z"


@pytest.mark.parametrize(
    "instant",
    [datetime(2024, 1, 1), datetime(1600, 1, 1, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC), 2**63],  # noqa: DTZ001
)
def test_a_time_is_refused_when_it_is_naive_or_would_wrap_around(instant: datetime | int) -> None:
    with pytest.raises(ConfigurationError):
        literals.time(instant)


def test_a_duration_is_written_when_it_is_a_timedelta_or_a_flux_duration() -> None:
    assert literals.duration(timedelta(minutes=-1)) == "-60000000us"
    assert literals.duration(Duration.parse("1h30m")) == "1h30m"
    with pytest.raises(ConfigurationError, match="too long"):
        literals.duration(timedelta.max)


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [("a/b", "/a\\/b/"), ("a\\/b", "/a\\/b/"), ("\\x2e\\x{41}", "/\\.A/"), ("", "/(?:)/"), ("\n", "/\\n/"),
     ("\\\\x2e", "/\\\\x2e/")],
)  # fmt: skip
def test_a_pattern_is_escaped_when_the_parser_would_change_it(pattern: str, literal: str) -> None:
    assert literals.regex(pattern) == literal


def test_a_pattern_is_refused_when_it_ends_in_a_backslash() -> None:
    with pytest.raises(ConfigurationError, match="backslash"):
        literals.regex("a\\")


glob_texts = st.text(st.sampled_from("ab.*?[]!^-\\/é"), max_size=8)


@given(
    glob=glob_texts.filter(lambda glob: not re.search(r"\[[^]]*-", glob)),
    name=st.text("ab.-^]é\\/", max_size=5),
)
@example(glob="[!]a]*", name="b")
@example(glob="a[b", name="a[b")
def test_a_glob_pattern_agrees_with_the_standard_library_when_matched(glob: str, name: str) -> None:
    pattern = literals.glob_pattern(glob)
    assert bool(
        re.search(pattern.replace("$", r"\Z") if pattern.endswith("$") else pattern, name)
    ) == fnmatchcase(name, glob)


def test_arrays_and_records_are_written_when_made_of_literals() -> None:
    assert literals.strings(["a", '"']) == '["a", "\\""]'
    record = literals.record({"a b": literals.integer(1), "c": literals.boolean(True)})
    assert record == '{"a b": 1, "c": true}'
