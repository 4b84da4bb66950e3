"""Fenced blocks of the pages: every language has its check, and what is typed is there."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment
from jsonschema import Draft202012Validator

from airflow_provider_influx_rollup.cli.arguments import WrongCall
from airflow_provider_influx_rollup.cli.main import build_parser
from airflow_provider_influx_rollup.get_provider_info import get_provider_info
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_schema import schema_of
from tests.scenes.doc_blocks import CHECKOUT, PAGES, Block, blocks

#: languages that have a check, here or beside; text is what a command printed, or a script that is shown to be wrong
CHECKED = {"python", "json", "yaml", "flux", "bash", "ini", "jinja", "text"}
PIPES = re.compile(r"\s(?:\||\|\||&&|>|<)\s.*")
TARGETS = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
LIFECYCLES = [block for block in blocks("yaml") if "\ntiers:" in block.text]
PARSER = build_parser()
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]


@dataclass(frozen=True)
class Command:
    """One command of a page, without comment, variables and what it is piped into."""

    block: Block
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.block} {' '.join(self.words)}"


def commands(program: str) -> list[Command]:
    """What the pages type, and what they show to have been typed.

    :param program: the command's first word
    """
    return [
        Command(block, words)
        for block in [*blocks("bash"), *blocks("text")]
        for words in _typed(block)
        if words[:1] == (program,)
    ]


def _typed(block: Block) -> Iterator[tuple[str, ...]]:
    is_shell = block in blocks("bash")
    for line in block.text.replace("\\\n", " ").splitlines():
        if not is_shell and not line.startswith("$ "):
            continue
        command = PIPES.sub("", line.removeprefix("$ ")) if "'" not in line else line.removeprefix("$ ")
        try:
            yield tuple(shlex.split(command, comments=True))
        except ValueError:  # a quote that ends on another line; `bash -n` has looked at it
            continue


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_block_has_a_check_when_a_page_has_fences(page: Path) -> None:
    fences = re.findall(r"^\s*```(\w*)", page.read_text(), re.MULTILINE)
    assert set(fences[::2]) <= CHECKED
    assert set(fences[1::2]) <= {""}
    assert len(fences) == 2 * sum(block.page == page for name in CHECKED for block in blocks(name))


@pytest.mark.parametrize("block", blocks("bash"), ids=str)
def test_shell_reads_a_block_when_a_page_shows_it(block: Block) -> None:
    read = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, check=False)
    assert (read.returncode, read.stderr) == (0, "")


@pytest.mark.parametrize("command", commands("influx-rollup"), ids=str)
def test_command_line_takes_a_command_when_a_page_types_it(command: Command) -> None:
    try:
        PARSER.parse_args(list(command.words[1:]))
    except WrongCall as refusal:
        pytest.fail(str(refusal))


@pytest.mark.parametrize("command", commands("make"), ids=str)
def test_make_has_the_target_when_a_page_types_it(command: Command) -> None:
    assert command.words[1] in TARGETS


@pytest.mark.parametrize("command", commands("pip"), ids=str)
def test_extra_exists_when_a_page_installs_it(command: Command) -> None:
    found = [re.fullmatch(r"([\w-]+)(?:\[(.*)\])?(?:[=~].*)?", word) for word in command.words[2:]]
    ours = [one for one in found if one and one[1] == PROJECT["name"]]
    wanted = {extra for one in ours for extra in (one[2] or "").split(",") if extra}
    assert wanted <= set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_yaml_is_read_when_a_page_shows_it(block: Block) -> None:
    assert list(yaml.safe_load_all(block.text))


@pytest.mark.parametrize("block", LIFECYCLES, ids=str)
def test_lifecycle_fits_the_schema_for_editors_when_a_page_shows_it(block: Block) -> None:
    schema = Draft202012Validator(schema_of(Lifecycle, "Lifecycle"))
    assert [error.message for error in schema.iter_errors(yaml.safe_load(block.text))] == []


@pytest.mark.parametrize("block", blocks("ini"), ids=str)
def test_options_exist_when_a_page_sets_them(block: Block) -> None:
    said = ConfigParser()
    said.read_string(block.text)
    assert said.sections() == ["influx_rollup"]
    assert set(said["influx_rollup"]) <= set(get_provider_info()["config"]["influx_rollup"]["options"])


@pytest.mark.parametrize("block", blocks("jinja"), ids=str)
def test_jinja_reads_a_template_when_a_page_shows_it(block: Block) -> None:
    Environment(autoescape=False, keep_trailing_newline=True).from_string(  # noqa: S701 - never rendered
        "{% macro flux() %}{% endmacro %}" + block.text.replace("| flux", "")
    )


def test_commands_are_found_when_the_pages_type_them() -> None:
    assert len(commands("influx-rollup")) > 40
    assert len(commands("make")) > 5
    assert len(LIFECYCLES) > 4
