"""Lifecycles in files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.cli.lifecycle_file import specs_of_file
from airflow_provider_influx_rollup.exceptions import ConfigurationError
from tests.scenes.doc_blocks import CHECKOUT, blocks

HOURS = {"bucket": "hours", "every": "1h", "aggregates": ["count", "sum"], "name": "hours"}
GOOD: dict[str, Any] = {
    "source_bucket": "raw",
    "measurement": "m",
    "tiers": [HOURS, {"bucket": "days", "every": "1d"}],
}


def written(folder: Path, values: object) -> str:
    path = folder / "lifecycle.json"
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return str(path)


def test_tiers_follow_each_other_when_a_file_names_them(tmp_path: Path) -> None:
    hours, days = specs_of_file(written(tmp_path, GOOD | {"ledger_bucket": "ledger"}))
    assert (hours.pipeline_name, hours.source_tier, hours.ledger_bucket) == ("hours", None, "ledger")
    assert (days.source_bucket, days.source_tier, days.aggregates) == ("hours", "hours", ("count", "sum"))


def test_example_is_read_when_the_guide_shows_it(tmp_path: Path) -> None:
    (example,) = (block.text for block in blocks("yaml") if block.page == CHECKOUT / "docs/howto/cli.md")
    assert [spec.target_bucket for spec in specs_of_file(written(tmp_path, example))] == [
        "rollup_hourly",
        "rollup_daily",
    ]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ("", "holds no parameters"),
        ("[1]", "holds no parameters"),
        ("a: [", r"neither YAML nor JSON \(line 1\)"),
        ("\x00", "neither YAML nor JSON"),
        ({"measurement": "m"}, "source_bucket, tiers missing"),
        (GOOD | {"tier": 1}, "tier unknown"),
        (GOOD | {"tiers": "1h"}, "tiers is '1h'"),
        (GOOD | {"tiers": [HOURS | {"size": "1h"}]}, "tier 1 of .*: size unknown"),
        (GOOD | {"tiers": [{"bucket": "b"}]}, "every missing"),
        (GOOD | {"tiers": []}, "has no tier"),
        (GOOD | {"measurement": 5}, "measurement is 5"),
        (GOOD | {"tiers": [HOURS | {"every": 60}]}, "tier 1 of .*: every is 60"),
        (GOOD | {"tiers": ["1h"]}, "tier 1 of .* holds no parameters"),
        (GOOD | {"tiers": [HOURS | {"aggregates": {"*": 1}}]}, "aggregates is"),
        (GOOD | {"tags": "site=a"}, "tags is 'site=a'"),
    ],
)
def test_file_is_refused_when_it_is_wrong(tmp_path: Path, values: object, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        specs_of_file(written(tmp_path, values))
    assert re.search(told, str(caught.value))


def test_file_is_named_when_it_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml.* cannot be read"):
        specs_of_file(str(tmp_path / "none.yaml"))
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        specs_of_file(str(tmp_path / "bytes"))
