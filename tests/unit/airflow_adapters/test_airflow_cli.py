"""``airflow influx`` has all that ``influx-rollup`` has, and does the same."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers_manager import ProvidersManager
from pytest_mock import MockerFixture

from airflow_provider_influx_rollup.cli import main as program

cli_parser = pytest.importorskip("airflow.cli.cli_parser")
pytestmark = pytest.mark.skipif(
    not hasattr(ProvidersManager, "cli_command_functions"), reason="Airflow 3.2 and later has it"
)


def choices(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    nested = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    return dict(nested[0].choices) if nested else {}


def options(parser: argparse.ArgumentParser) -> set[tuple[str, ...]]:
    shown = [
        one
        for one in parser._actions
        if not isinstance(one, argparse._HelpAction | argparse._SubParsersAction)
    ]
    return {tuple(one.option_strings) or (one.dest,) for one in shown}


def tree(parser: argparse.ArgumentParser) -> dict[str, Any]:
    return {name: (options(one), tree(one)) for name, one in choices(parser).items()}


@pytest.fixture(scope="module")
def influx_parser() -> argparse.ArgumentParser:
    return choices(cli_parser.get_parser())["influx"]


def run(*words: str) -> int:
    args = cli_parser.get_parser().parse_args(["influx", *words])
    try:
        args.func(args)
    except SystemExit as left:
        return int(str(left.code))
    return 0


def test_airflow_has_every_command_and_option(influx_parser: argparse.ArgumentParser) -> None:
    assert tree(influx_parser) == tree(program.build_parser())
    assert "rollup" in tree(influx_parser)
    assert "adopt" in tree(influx_parser)["tasks"][1]


@pytest.mark.parametrize("words", [["schema"], ["certificate", "verify"], ["tasks", "list"], ["plan"]])
def test_airflow_shows_the_help_of_a_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli_parser.get_parser().parse_args(["influx", *words, "--help"])
    assert left.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_command_gives_what_the_program_gives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "lifecycle.json"
    tiers = [{"bucket": "t", "every": "1h", "aggregates": ["count"]}]
    file.write_text(json.dumps({"source_bucket": "raw", "measurement": "m", "tiers": tiers}))
    assert run("explain", str(file), "--json") == 0
    told = capsys.readouterr().out
    assert program.main(["explain", str(file), "--json"]) == 0
    assert json.loads(told) == json.loads(capsys.readouterr().out)


def test_command_leaves_with_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "none.yaml")
    assert run("explain", missing) == program.main(["explain", missing]) == 2
    assert capsys.readouterr().err.count("cannot be read") == 2


@pytest.mark.parametrize(
    ("words", "variable", "taken"),
    [
        ([], None, "influx_rollup_default"),
        (["--conn-id", "other"], None, "other"),
        (["--url", "http://influx:8086"], None, None),
        ([], "http://influx:8086", None),
    ],
)
def test_command_takes_the_default_connection_unless_a_server_is_named(
    mocker: MockerFixture,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    variable: str | None,
    taken: str | None,
) -> None:
    monkeypatch.delenv("INFLUX_URL", raising=False)
    if variable:
        monkeypatch.setenv("INFLUX_URL", variable)
    performed = mocker.patch.object(program, "perform", return_value=0)
    assert run("receipts", *words) == 0
    args = performed.call_args.args[0]
    assert (args.conn_id, args.command) == (taken, "receipts")


def test_token_on_the_command_line_is_refused_without_being_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli_parser.get_parser().parse_args(["influx", "receipts", "--token", "hidden-token"])
    assert "hidden-token" not in "".join(capsys.readouterr())
