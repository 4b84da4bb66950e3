"""What a user's script may read, as far as its text tells."""

from __future__ import annotations

import pytest

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.lifecycle.rollup_script.reads import may_read, text_of

NAMES = ["m", "fläche", 'a"b', "a\\b", 'C:\\disk "x"', "早い"]
BY_PARAMETER = "filter(fn: (r) => r._measurement == params.name)"


@pytest.mark.parametrize("name", NAMES)
def test_measurement_is_found_in_the_script_and_in_its_parameters(name: str) -> None:
    script = f"filter(fn: (r) => r._measurement == {literals.string(name)})"
    assert may_read(text_of(script, {}), name)
    assert may_read(text_of(BY_PARAMETER, {"name": name}), name)
    assert may_read(text_of(BY_PARAMETER, {"of": [{"name": name}]}), name)
    assert not may_read(text_of(BY_PARAMETER, {"name": "another"}), f"{name} of the roof")


def test_script_that_names_no_measurement_reads_all_of_them() -> None:
    assert may_read(text_of('from(bucket: "raw") |> range(start: -1h)', {}), "m")
    assert not may_read(text_of('filter(fn: (r) => r["_measurement"] == "n")', None), "weather")


@pytest.mark.parametrize("also", ["=~ /^wea/", "!~ /^n/", '!= "n"'])
def test_script_that_chooses_by_a_pattern_too_may_read_what_it_does_not_name(also: str) -> None:
    script = f'filter(fn: (r) => r._measurement == "n" or r["_measurement"] {also})'
    assert may_read(text_of(script, None), "weather")
