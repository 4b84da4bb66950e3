"""Lifecycles in files: what is read, what is refused and where, and that the schema for editors says the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from airflow_provider_influx_rollup.exceptions import (
    ConfigurationError,
    InfluxRollupError,
    RuleInvalid,
    WindowMisaligned,
)
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_schema import schema_of
from tests.scenes.doc_blocks import CHECKOUT, blocks

HOURS = {
    "bucket": "hours",
    "every": "1h",
    "aggregates": ["count", "sum"],
    "name": "hours",
    "execution": "native",
}
DAYS = {"bucket": "days", "every": "1d"}
GOOD: dict[str, Any] = {"source_bucket": "raw", "measurement": "m", "tiers": [HOURS, DAYS]}
FULL: dict[str, Any] = GOOD | {
    "measurement": ["cpu", "mem"],
    "fields": ["usage*"],
    "tags": {"site": "a", "host": ["b", "c"]},
    "retention": "30d",
    "run_every": "1h",
    "reconcile": "7d",
    "heal": "2d",
    "ledger_bucket": "ledger",
    "assets": "windows",
    "validation": {"rules": [{"rule": "range", "field": "usage", "high": 100}], "on_failure": "warn"},
    "deadman": {"silence": "10m", "group_by": ["host"], "expected_series": [{"host": "b"}], "level": "warn"},
    "buckets": [
        {"name": "raw", "retention": "30d", "shard_group": "1d", "description": "as sent", "labels": ["hot"]},
        {"name": "days"},
    ],
    "archive": {"path": "s3://lake/telemetry", "every": "1d", "purge_after": "14d", "quiet_for": "1d"},
}

YAML = """\
source_bucket: raw
measurement: m
tiers:
  - {bucket: fives, every: 5m, aggregates: [count]}
  - bucket: hours
    every: 1h
    offset: 7s
reconcile: 7d
"""


def written(folder: Path, values: object, name: str = "lifecycle.json") -> Path:
    path = folder / name
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return path


def refusal(folder: Path, values: object) -> InfluxRollupError:
    with pytest.raises(InfluxRollupError) as caught:
        Lifecycle.from_yaml(written(folder, values, "a.yaml"))
    return caught.value


def test_tiers_follow_each_other_when_a_file_names_them(tmp_path: Path) -> None:
    hours, days = Lifecycle.from_yaml(written(tmp_path, GOOD | {"ledger_bucket": "ledger"})).specs()
    assert (hours.pipeline_name, hours.source_tier, hours.ledger_bucket) == ("hours", None, "ledger")
    assert (days.source_bucket, days.source_tier, days.aggregates) == ("hours", "hours", ("count", "sum"))


def test_each_measurement_has_tiers_of_its_own_when_a_file_lists_several(tmp_path: Path) -> None:
    made = Lifecycle.from_yaml(written(tmp_path, FULL))
    assert [spec.pipeline_name for spec in made.specs()] == [
        "hours:cpu",
        "hours/cpu->days@1d",
        "hours:mem",
        "hours/mem->days@1d",
    ]
    assert [one.measurement for one in made.each()] == ["cpu", "mem"]
    assert {spec.source_tier for spec in made.specs()} == {None, "hours:cpu", "hours:mem"}


def test_example_is_read_when_the_guide_shows_it(tmp_path: Path) -> None:
    examples = [block.text for block in blocks("yaml") if block.text.find("tiers:") >= 0]
    assert len(examples) >= 2
    for example in examples:
        (tmp_path / "rules.yaml").write_text("- {rule: range, field: temperature, high: 85}\n")
        made = Lifecycle.from_yaml(written(tmp_path, example))
        assert all(one.specs() for one in made.each(made.patterns))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ("", "line 1: Lifecycle has no parameters here"),
        ("[1]", "line 1: Lifecycle has no parameters here"),
        ("a: [", "line 1: this is neither YAML nor JSON"),
        ("\x00", "line 1: this is neither YAML nor JSON"),
        ("measurement: m\n", "line 1: source_bucket, tiers are missing"),
        (YAML + "tier: 1\n", "line 9, tier: Lifecycle has no such parameter. .* write tiers"),
        (YAML.replace("    offset: 7s", "    every_: 1h"), r"line 7, tiers\[1\]\.every_: .* write every"),
        (YAML.replace("    every: 1h\n", "").replace("    offset: 7s\n", ""), r"line 5, tiers\[1\]: every is missing"),
        (YAML.replace("every: 1h", "every: 60"), r"line 6, tiers\[1\]\.every: 60 is not possible"),
        (YAML.replace("every: 1h", "every: 1x"), r"line 5, tiers\[1\]: the duration '1x'"),
        (YAML.replace("[count]", "{'*': 1}"), r"line 4, tiers\[0\]\.aggregates: \{'\*': 1\} is not possible"),
        (YAML.replace("measurement: m", "measurement: 5"), "line 2, measurement: 5 is not possible"),
        (YAML.replace("measurement: m", "measurement: [m, m]"), "measurement m is given twice"),
        (YAML.replace("measurement: m", "measurement: []"), "there is no measurement"),
        (YAML + "tags: site=a\n", "line 9, tags: 'site=a' is not possible"),
        (YAML + "reconcile: 1d\n", "line 9, reconcile: it is given twice"),
        (YAML.replace("    offset: 7s\n", "") + "retention: 1d\n", "retention: reconcile=7d|retention: .*7d"),
        (YAML + "validation: {rules: [], on_failure: explode}\n", r"validation\.on_failure: .*use one of fail, quar"),
        (YAML + "archive: {path: /a, purge_after: 1h}\n", "line 9, archive.purge_after: purge_after=1h"),
        (YAML.replace("    offset: 7s\n", "") + "buckets: [{name: raw, schema: a.csv}]\n", r"buckets\[0\].*OSS does not know"),
        (YAML.replace("    offset: 7s\n", "") + "buckets: [{name: raw, retention: 10m}]\n", r"buckets\[0\].*at least 1h"),
        (YAML.replace("    offset: 7s\n", "") + "retention: 30d\nbuckets: [{name: raw, retention: 7d}]\n", "line 9, buckets: .*give it one"),
        ('{"source_bucket": "raw", "measurement": "m", "tiers": "1h"}', "tiers: '1h' is not possible"),
        ('{"source_bucket": "raw", "measurement": "m", "tiers": []}', "has no tier"),
        ('{"source_bucket": "raw", "measurement": "m", "tiers": ["1h"]}', r"tiers\[0\]: Tier has no parameters"),
    ],
)  # fmt: skip
def test_file_line_and_key_are_named_when_a_file_is_wrong(tmp_path: Path, values: str, told: str) -> None:
    error = refusal(tmp_path, values)
    assert isinstance(error, ConfigurationError)
    assert re.search(rf"a\.yaml, .*{told}", str(error)), str(error)


def test_error_names_the_tier_when_tiers_do_not_fit(tmp_path: Path) -> None:
    error = refusal(tmp_path, YAML)
    assert isinstance(error, WindowMisaligned)
    assert re.search(r"a\.yaml, line 5, tiers\[1\]: the tier of 1h\+7s", str(error)), str(error)


def test_line_of_the_anchor_is_named_when_a_tier_is_merged_in(tmp_path: Path) -> None:
    text = YAML.replace("    offset: 7s\n", "").replace("{bucket", "&first {bucket")
    assert Lifecycle.from_yaml(
        written(tmp_path, text.replace("    every: 1h", "    <<: *first\n    every: 1h"))
    )
    wrong = text.replace("[count]", "[5]").replace("    every: 1h", "    <<: *first\n    every: 1h")
    assert "line 4, tiers[0].aggregates" in str(refusal(tmp_path, wrong))


def test_file_is_named_when_it_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml.* cannot be read"):
        Lifecycle.from_yaml(tmp_path / "none.yaml")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Lifecycle.from_yaml(tmp_path / "bytes")


def test_file_of_rules_is_read_beside_the_lifecycle_when_it_names_one(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD | {"validation": {"rules": "rules.yaml"}})
    rules = tmp_path / "rules.yaml"
    rules.write_text("- {rule: range, field: temp, high: 85}\n")
    made = Lifecycle.from_yaml(path)
    assert made.validation is not None
    assert made.validation.rules == rules.read_text()
    rules.write_text("- rule: range\n  field: temp\n  highest: 85\n")
    with pytest.raises(RuleInvalid, match=r"rules\.yaml, line [13]"):
        Lifecycle.from_yaml(path)
    inline = GOOD | {"validation": {"rules": [{"rule": "rang"}]}}
    with pytest.raises(RuleInvalid, match=r"lifecycle\.json, validation\.rules: "):
        Lifecycle.from_yaml(written(tmp_path, inline))


SCHEMA = schema_of(Lifecycle, "Lifecycle")


def test_published_schema_is_that_of_the_reader_when_parameters_change() -> None:
    published = json.loads((CHECKOUT / "docs/reference/lifecycle.schema.json").read_text())
    assert published == SCHEMA, "influx-rollup schema > docs/reference/lifecycle.schema.json"
    Draft202012Validator.check_schema(SCHEMA)


def test_every_parameter_is_described_when_an_editor_shows_it() -> None:
    parts = {"Lifecycle": SCHEMA, **SCHEMA["$defs"]}
    lacking = [
        (name, key) for name, part in parts.items() for key, one in part["properties"].items()
        if not one["description"]
    ]  # fmt: skip
    assert (len(parts), lacking) == (6, [])


@pytest.mark.parametrize(
    ("values", "is_right"),
    [
        (GOOD, True),
        (FULL, True),
        (GOOD | {"fields": None, "validation": None, "archive": None, "retention": None}, True),
        (GOOD | {"tiers": [HOURS | {"aggregates": {"t*": ["count"], "*": ["count"]}}]}, True),
        (GOOD | {"tier": 1}, False),
        (GOOD | {"tiers": [HOURS | {"size": "1h"}]}, False),
        (GOOD | {"tiers": [{"bucket": "b"}]}, False),
        (GOOD | {"tiers": "1h"}, False),
        (GOOD | {"tiers": None}, False),
        (GOOD | {"tiers": [HOURS | {"every": 60}]}, False),
        (GOOD | {"tiers": [HOURS | {"every": "1 h"}]}, False),
        (GOOD | {"tiers": [HOURS | {"retention": "-1d"}]}, False),
        (GOOD | {"measurement": 5}, False),
        (GOOD | {"measurement": [1]}, False),
        (GOOD | {"reconcile": "week"}, False),
        (GOOD | {"tags": {"site": 1}}, False),
        (GOOD | {"validation": {"rules": [], "on_failure": "branch"}}, False),
        (GOOD | {"validation": {}}, False),
        (GOOD | {"deadman": {"level": "ok"}}, False),
        (GOOD | {"deadman": {"expected_series": [{"host": 1}]}}, False),
        (GOOD | {"archive": {"path": "/a", "purge_after": 30}}, False),
        (GOOD | {"buckets": [{"name": "raw", "retention": 30}]}, False),
        (GOOD | {"buckets": {"name": "raw"}}, False),
        ([GOOD], False),
        (None, False),
    ],
)
def test_schema_and_reader_agree_when_a_file_is_right_or_wrong(
    tmp_path: Path, values: object, is_right: bool
) -> None:
    told = [error.message for error in Draft202012Validator(SCHEMA).iter_errors(values)]
    assert (not told) is is_right, told
    if is_right:
        assert Lifecycle.from_yaml(written(tmp_path, values)).specs()
    else:
        refusal(tmp_path, values)
