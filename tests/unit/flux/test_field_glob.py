"""Fields chosen by globs."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.field_glob import match_fields
from airflow_provider_influx_rollup.globs import is_glob, is_match

FIELDS = ["temp_in", "temp_out", "Temp", "hum", "a[1]", "temp_in"]


@pytest.mark.parametrize(
    ("globs", "chosen"),
    [
        (["temp*"], ["temp_in", "temp_out"]),
        (["hum", "temp_in"], ["temp_in", "hum"]),
        (["temp_*", "!*_out"], ["temp_in"]),
        (["!temp_*"], ["Temp", "hum", "a[1]"]),
        (["*", "!temp_*", "temp_out"], ["temp_out", "Temp", "hum", "a[1]"]),
        (["?um"], ["hum"]),
        (["[tT]emp"], ["Temp"]),
        (["a[1]"], ["a[1]"]),
        (["none"], []),
        ([], []),
    ],
)
def test_fields_are_chosen_in_their_order_when_globs_match(globs: list[str], chosen: list[str]) -> None:
    assert match_fields(globs, FIELDS) == chosen


@pytest.mark.parametrize("glob", ["", "!"])
def test_a_glob_is_refused_when_it_is_empty(glob: str) -> None:
    with pytest.raises(ConfigurationError, match="glob"):
        match_fields([glob], FIELDS)


def test_a_text_is_a_glob_when_it_has_a_wildcard() -> None:
    assert [is_glob(text) for text in ("a*", "a?", "[a]", "a.b", "!a")] == [True, True, True, False, False]


def test_a_text_stands_for_itself_and_a_glob_for_others_too() -> None:
    matched = [name for name in ("temp[1]", "temp1", "Temp1", "temp2") if is_match("temp[1]", name)]
    assert matched == ["temp[1]", "temp1"]
