"""Patterns of measurements, and what they stand for."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle, Tier
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_measurements import (
    FoundMeasurement,
    found_measurements,
    patterns_of,
)

KNOWN = ["cpu", "cpu_temp", "disk", "internal_agent", "mem", "a*b"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["*"], sorted(KNOWN)),
        (["cpu*"], ["cpu", "cpu_temp"]),
        (["*", "!internal_*", "!mem"], ["a*b", "cpu", "cpu_temp", "disk"]),
        (["net", "cpu*"], ["net", "cpu", "cpu_temp"]),
        (["cpu", "cpu*"], ["cpu", "cpu_temp"]),
        (["a[*]b"], ["a*b"]),
        (["no*"], []),
        ([FoundMeasurement("a*b")], ["a*b"]),
        (["CPU*"], []),
    ],
)
def test_patterns_stand_for_what_the_bucket_has(names: list[str], expected: list[str]) -> None:
    assert found_measurements(names, KNOWN) == expected


@given(
    st.lists(st.text("ab*?[]!", min_size=1, max_size=4), max_size=6, unique=True), st.text("ab*?", max_size=3)
)
def test_what_was_found_is_taken_as_it_is(known: list[str], pattern: str) -> None:
    found = found_measurements([pattern, "*"], known)
    assert found_measurements(found, known) == found
    assert patterns_of(found) == ()
    assert set(known) <= set(found)
    assert [name for name in found_measurements(["a*"], known) if not fnmatchcase(name, "a*")] == []


def made(measurement: object) -> Lifecycle:
    tiers = [Tier("fives", "5m", ["count", "sum"], name="fives"), Tier("hours", "1h")]
    return Lifecycle("raw", measurement, tiers)  # type: ignore[arg-type]


def test_each_found_measurement_has_a_lifecycle_of_its_own() -> None:
    found = made(["*", "!m*"]).each(["cpu", "mem", "a*b"])
    assert [one.measurement for one in found] == ["a*b", "cpu"]
    assert [spec.pipeline_name for one in found for spec in one.specs()] == [
        "fives:a*b",
        "fives/a*b->hours@1h",
        "fives:cpu",
        "fives/cpu->hours@1h",
    ]
    assert {spec.measurement for spec in found[0].specs()} == {"a*b"}


def test_pattern_alone_names_its_pipelines_as_a_list_does() -> None:
    (one,) = made("c*").each(["cpu", "mem"])
    assert [spec.pipeline_name for spec in one.specs()] == ["fives:cpu", "fives/cpu->hours@1h"]


@pytest.mark.parametrize(
    ("measurement", "message"),
    [
        ([], "there is no measurement"),
        (["*", "*"], "is given twice"),
        (["cpu", "!mem"], "takes away from nothing"),
    ],
)
def test_declaration_is_refused_when_it_can_stand_for_nothing(measurement: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        made(measurement)


def test_pattern_is_never_taken_for_a_name() -> None:
    for ask in (made("*").specs, made(["cpu", "m*"]).specs, made("*").each):
        with pytest.raises(ConfigurationError, match="stands for those that the bucket has in a run"):
            ask()
