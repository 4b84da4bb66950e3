"""YAML that somebody wrote by mistake, or to do harm."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from airflow_provider_influx_rollup.exceptions import ConfigurationError, RuleInvalid
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
from airflow_provider_influx_rollup.validation.rule_file import read_rule_file
from airflow_provider_influx_rollup.yaml_text import YamlInvalid, compose, construct

MAX_SHOWN = 2_000


def load(text: str) -> object:
    root = compose(text)
    return None if root is None else construct(root)


def bomb(levels: int = 9) -> str:
    """Nine lists of nine lists of nine ...: 400 million values in some hundred characters."""
    lists = ["&a0 [x,x,x,x,x,x,x,x,x]"]
    lists += [f"&a{n} [" + ",".join([f"*a{n - 1}"] * 9) + "]" for n in range(1, levels)]
    return "[" + ", ".join(lists) + "]"


HARMFUL = {
    "bomb": (bomb(), "more than 100,000 values"),
    "list as a key": ("{[a]: b}", ""),
    "mapping as a key": ("{{a: b}: c}", ""),
    "3,000 brackets": ("[" * 3000 + "]" * 3000, "nested deeper than 50 levels"),
    "100,000 brackets": ("[" * 100_000, "nested deeper than 50 levels"),
    "control character": ('"a\x07"', "U+0007"),
    "NUL": ("a\0", "U+0000"),
    "date in month 13": ("2025-13-45", "month"),
    "letters as a whole number": ("!!int abc", "abc"),
    "letters as a float": ("!!float abc", "abc"),
    "a word as a truth": ("!!bool maybe", "maybe"),
    "nothing as a truth": ("!!bool ''", ""),
    "nothing as a whole number": ("!!int ''", ""),
    "a sign as a float": ("!!float '-'", "'-'"),
    "20,000 hexadecimal digits": ("0x" + "f" * 20_000, "0xffff"),
    "400 digits": ("9" * 400, "9999..."),
    "half of a character": ('"\\ud800"', ""),
    "5,000 digits": ("9" * 5000, "9999..."),
    "binary that is none": ("!!binary '%%%'", ""),
    "a list of itself": ("&a [*a]", "refers to itself"),
    "a python call": ("!!python/object/apply:os.system ['true']", "python/object"),
}


@pytest.mark.parametrize(("text", "said"), HARMFUL.values(), ids=HARMFUL)
@pytest.mark.parametrize("place", ["- {rule: range, field: a, low: %s}\n", "- %s\n"])
def test_rule_file_is_refused_with_a_line_when_its_yaml_is_harmful(place: str, text: str, said: str) -> None:
    with pytest.raises(RuleInvalid, match=r"rules, line \d") as caught:
        read_rule_file(f"# a comment\n{place % text}")
    assert said in str(caught.value)
    assert len(str(caught.value)) < MAX_SHOWN


@pytest.mark.parametrize(("text", "said"), HARMFUL.values(), ids=HARMFUL)
@pytest.mark.parametrize("place", ["%s\n", "rules: %s\n", "%s: []\n"])
def test_rule_file_is_refused_when_harmful_yaml_stands_for_its_parts(
    place: str, text: str, said: str
) -> None:
    with pytest.raises(RuleInvalid, match=r"rules, line \d") as caught:
        read_rule_file(place % text)
    assert len(str(caught.value)) < MAX_SHOWN


@pytest.mark.parametrize(("text", "said"), HARMFUL.values(), ids=HARMFUL)
@pytest.mark.parametrize("place", ["measurement: %s\n", "tiers: %s\n", "%s\n", "tiers: [{every: %s}]\n"])
def test_lifecycle_file_is_refused_when_its_yaml_is_harmful(
    place: str, text: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "lifecycle.yaml"
    path.write_text(place % text)
    with pytest.raises(ConfigurationError) as caught:
        Lifecycle.from_yaml(path)
    assert len(str(caught.value)) < MAX_SHOWN


def test_problem_is_told_with_its_line_when_a_value_is_none() -> None:
    with pytest.raises(YamlInvalid) as caught:
        load("a: 1\nb:\n  - 2025-02-30\n")
    assert caught.value.line == 3


def test_characters_that_json_spells_in_halves_are_whole() -> None:
    assert load('{"measurement": "\\ud83d\\ude00 W\\u00e4rme"}') == {"measurement": "\U0001f600 Wärme"}


def test_aliases_and_merges_are_read_when_they_stay_small() -> None:
    text = "base: &base {low: 1, days: [2025-02-28]}\nmade: {<<: *base, high: 2}\nagain: *base\n"
    base = {"low": 1, "days": [date(2025, 2, 28)]}
    assert load(text) == {"base": base, "made": {**base, "high": 2}, "again": base}


def test_nothing_is_none_when_the_text_is_empty() -> None:
    assert load("# nothing\n") is None
