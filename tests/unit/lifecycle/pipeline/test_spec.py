"""A rollup's spec as JSON, its hash, its name, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_influx_rollup.exceptions import AggregateNotMergeable, ConfigurationError, InvalidName
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec

SPEC = RollupSpec(
    source_bucket="raw",
    target_bucket="hourly",
    measurement="sensors",
    grid=GridSpec("1h"),
    aggregates=("count", "mean"),
)
NAMES = st.text("abcé*,= ", min_size=1, max_size=4)
VALUES = st.lists(NAMES, min_size=1, max_size=3).map(tuple)
AGGREGATES = st.lists(st.sampled_from(["count", "sum", "last", "p99.9"]), min_size=1, max_size=3).map(tuple)
SPECS = st.builds(
    RollupSpec,
    source_bucket=st.just("raw"),
    target_bucket=st.just("hourly"),
    measurement=NAMES,
    grid=st.sampled_from(
        [GridSpec("1h"), GridSpec("1d", "6h", "Europe/Berlin"), GridSpec("1h", period="3h")]
    ),
    aggregates=AGGREGATES | st.dictionaries(NAMES, AGGREGATES, min_size=1, max_size=2),
    fields=st.none(),
    tags=st.dictionaries(NAMES, VALUES, max_size=2),
    target_measurement=st.none() | NAMES,
    lateness=st.sampled_from(["0s", "10m"]),
    pipeline=st.none() | NAMES,
)


@given(SPECS)
def test_spec_comes_back_equal_when_it_travels_as_json(spec: RollupSpec) -> None:
    back = RollupSpec.from_json(json.loads(json.dumps(spec.as_json())))
    assert back == spec
    assert (back.spec_hash(), back.pipeline_name) == (spec.spec_hash(), spec.pipeline_name)


def test_hash_stays_the_same_when_the_package_changes() -> None:
    """Stored in ledgers: another hash for the same spec would make every window of every user dirty."""
    assert SPEC.spec_hash() == "56026563156ee802"
    full = replace(
        SPEC, tags={"site": ("a", "b")}, group_by=("site",), aggregates={"temp": ("sum",)}, fields=("temp",)
    )
    assert full.spec_hash() == "19b444623c3395c9"


@pytest.mark.parametrize(
    "change",
    [
        {"lateness": "5m"},
        {"compute": "server"},
        {"empty_windows": "fail"},
        {"pipeline": "mine"},
        {"ledger_bucket": "other"},
        {"max_rows_per_read": 7},
    ],
    ids=str,
)
def test_hash_stays_when_the_change_does_not_decide_the_rows(change: dict[str, Any]) -> None:
    assert replace(SPEC, **change).spec_hash() == SPEC.spec_hash()


@pytest.mark.parametrize(
    "change",
    [
        {"source_bucket": "other"},
        {"target_bucket": "other"},
        {"measurement": "other"},
        {"target_measurement": "other"},
        {"grid": GridSpec("2h")},
        {"grid": GridSpec("1h", timezone="Europe/Berlin")},
        {"grid": GridSpec("1h", period="2h")},
        {"aggregates": ("count",)},
        {"fields": ("temp",)},
        {"tags": {"site": ("a",)}},
        {"group_by": (), "aggregates": ("count",)},
    ],
    ids=str,
)
def test_hash_changes_when_the_rows_do(change: dict[str, Any]) -> None:
    assert replace(SPEC, **change).spec_hash() != SPEC.spec_hash()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({}, "raw/sensors->hourly@1h"),
        ({"pipeline": "mine"}, "mine"),
        ({"target_measurement": "out"}, "raw/sensors->hourly/out@1h"),
        ({"grid": GridSpec("1d", "6h", "Europe/Berlin")}, "raw/sensors->hourly@1d+6h@Europe/Berlin"),
        ({"grid": GridSpec("1h", period="3h")}, "raw/sensors->hourly@1h/3h"),
        ({"tags": {"b": ("2",), "a": ("1", "x")}}, "raw/sensors{a=1|x,b=2}->hourly@1h"),
        ({"group_by": ("b", "a"), "aggregates": ("sum",)}, "raw/sensors->hourly@1h by a,b"),
    ],
    ids=str,
)
def test_pipeline_is_named_after_what_it_does_when_it_has_no_name(change: dict[str, Any], name: str) -> None:
    assert replace(SPEC, **change).pipeline_name == name


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"target_bucket": "raw"}, ConfigurationError),
        ({"ledger_bucket": "raw"}, ConfigurationError),
        ({"ledger_bucket": "hourly"}, ConfigurationError),
        ({"compute": "worker"}, ConfigurationError),
        ({"empty_windows": ""}, ConfigurationError),
        ({"group_by": ("site",)}, AggregateNotMergeable),
        ({"measurement": "a\nb"}, InvalidName),
        ({"aggregates": {"a\nb": ("count",)}}, InvalidName),
        ({"fields": ("a\nb",)}, InvalidName),
    ],
    ids=str,
)
def test_spec_is_refused_when_it_cannot_be_done(
    change: dict[str, Any], error: type[ConfigurationError]
) -> None:
    with pytest.raises(error) as caught:
        replace(SPEC, **change)
    assert caught.value.permanent
    assert caught.value.fix
