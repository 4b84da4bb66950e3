"""Texts of the ledger lose the series of some tags, and no other."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.lifecycle.erase.texts import NAMING, NOT_TOLD, TextField

SPEC = EraseSpec(
    archive=ArchiveSpec(org="dev", bucket="raw", measurement="m", shown_path="/data"), tags={"customer": "42"}
)
BOTH = replace(SPEC, tags={"customer": "42", "site": "a"})


def texts_of(measurement: str, field: str) -> TextField:
    (found,) = [one for one in NAMING if (one.measurement, one.field) == (measurement, field)]
    return found


def cleaned(changes: dict[str, Any], spec: EraseSpec = SPEC) -> Any:
    """What is left of a question: the changed parts; empty when nothing is; None when it stays as it is."""
    asked = asdict(replace(CompletenessSpec(bucket="raw", measurement="m"), **changes))
    text = json.dumps({"spec": asked, "interval": {}})
    texts = texts_of("window_receipt", "complete_when")
    left = texts.clean(text, spec)
    return {name: json.loads(left)["spec"][name] for name in changes} if left else left


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"expected": ({"customer": "42"}, {"customer": "7"})}, {"expected": [{"customer": "7"}]}),
        ({"expected": ({"customer": "42", "device": "a"},)}, ""),
        ({"expected": ({"customer": "421"}, {"device": "42"})}, None),
        ({"expected": 3, "retired": ({"customer": "42"},)}, {"expected": 3, "retired": []}),
        ({"expected": {"retired": ({"customer": "42"},)}}, {"expected": {"retired": []}}),
        ({"tags": {"customer": ("42",)}}, ""),
        ({"tags": {"customer": ("42", "7")}}, {"tags": {"customer": ["7"]}}),
        ({"measurement": "n", "expected": ({"customer": "42"},)}, None),
    ],
)
def test_question_asks_no_more_for_series_that_were_erased(changes: dict[str, Any], left: Any) -> None:
    assert cleaned(changes) == left


def test_filter_by_several_tags_loses_only_what_no_other_series_needs() -> None:
    assert cleaned({"tags": {"customer": ("42", "7"), "site": ("a",)}}, BOTH) == {
        "tags": {"customer": ["7"], "site": ["a"]}
    }
    assert cleaned({"tags": {"customer": ("42",), "site": ("a",)}}, BOTH) == ""
    # 42 at b and 7 at a stay
    assert cleaned({"tags": {"customer": ("42", "7"), "site": ("a", "b")}}, BOTH) is None
    assert cleaned({"tags": {"customer": ("42",)}}, BOTH) is None


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        ("1 series missing: customer=42", True),
        ("2 series missing: customer=42, device=a; customer=7", True),
        ("1 series below min_completeness: device=a, customer=42 (50.0%)", True),
        ("9 series missing: customer=42 and 8 more", True),
        ("1 series missing: customer=421", False),
        ("1 series missing: customer=42a, device=b", False),
        ("no point yet", False),
    ],
)
def test_reason_is_not_told_when_it_names_the_series(text: str, *, is_named: bool) -> None:
    for measurement in ("window_receipt", "window_event"):
        assert texts_of(measurement, "incomplete").clean(text, SPEC) == (NOT_TOLD if is_named else None)


def test_mark_goes_when_nobody_can_ask_for_it_any_more() -> None:
    texts = texts_of("window_receipt", "complete_when")
    assert texts.fields("") == {"complete_when": "", "incomplete": ""}
    assert texts.fields("{}") == {"complete_when": "{}"}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("raw/m{customer=42}->r@1h", "raw/m{customer=...}->r@1h"),
        ("raw/m{a=1,customer=7|42|421}->r@1h", "raw/m{a=1,customer=7|...|421}->r@1h"),
        ("raw/m{customer=421,device=42}->r42@1h", "raw/m{customer=421,device=42}->r42@1h"),
        ("hourly", "hourly"),
    ],
)
def test_name_of_a_pipeline_is_shown_without_the_value(name: str, shown: str) -> None:
    assert SPEC.shown(name) == shown
