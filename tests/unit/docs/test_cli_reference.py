"""The reference of the command line against its options, exit codes and states."""

from __future__ import annotations

import argparse
import re

from airflow_provider_influx_rollup.cli.bar import MARKS
from airflow_provider_influx_rollup.cli.exit_codes import INTERRUPTED, RIGHT, UNUSABLE, WRONG
from airflow_provider_influx_rollup.cli.main import build_parser
from tests.scenes.doc_blocks import CHECKOUT

REFERENCE = (CHECKOUT / "docs/reference/cli.md").read_text()


def commands() -> dict[str, argparse.ArgumentParser]:
    subparsers = next(
        action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    return dict(subparsers.choices)


def options(parser: argparse.ArgumentParser) -> set[str]:
    shown = [action for action in parser._actions if action.help is not argparse.SUPPRESS]
    nested = [
        one
        for action in shown
        if isinstance(action, argparse._SubParsersAction)
        for one in action.choices.values()
    ]
    own = {name for action in shown for name in action.option_strings}
    return own.union(*map(options, nested))


def section(title: str) -> str:
    return re.split(r"^## ", REFERENCE.partition(f"## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def test_every_option_has_its_row_when_a_command_takes_it() -> None:
    found = commands()
    in_all = set.intersection(*(options(parser) for parser in found.values()))
    rows = re.findall(r"^\| `(--[a-z-]+)`", REFERENCE, re.MULTILINE)
    assert set(rows) == {
        name for parser in found.values() for name in options(parser) if name.startswith("--")
    }
    for name in in_all:
        assert f"`{name}`" in section("Options of all commands")


def test_options_name_their_commands_when_only_some_take_them() -> None:
    found = commands()
    for name, told in re.findall(
        r"^\| `(--[a-z-]+)` \| ([^|]+) \|", section("Options of one command"), re.MULTILINE
    ):
        takers = {command for command, parser in found.items() if name in options(parser)}
        named = set(re.findall(r"`([a-z]+)`", told))
        assert takers == (set(found) - named if told.startswith("all but") else named), name


def test_every_command_and_code_has_its_row_when_scripts_ask() -> None:
    rows = section("Exit codes")
    assert set(re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE)) == set(commands())
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", rows, re.MULTILINE)} == {
        RIGHT,
        WRONG,
        UNUSABLE,
        INTERRUPTED,
    }


def test_every_state_has_its_mark_when_the_page_lists_them() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(.)` \|", section("States of a window"), re.MULTILINE)
    assert rows == [(state.value, mark) for state, (mark, _) in MARKS.items()]
