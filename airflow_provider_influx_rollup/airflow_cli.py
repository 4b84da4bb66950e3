"""``airflow influx``: the commands of ``influx-rollup`` among Airflow's own, on Airflow 3.2 and later."""

from __future__ import annotations

import argparse
import copy
import os
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.hooks.default_connection import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand

HELP = "Look at the windows of rollups in InfluxDB, and put them right"


class CopiedOption:
    """An option as ``influx-rollup`` has it; Airflow sorts options by their flags and adds them to its parser.

    :param action: of the parser of ``influx-rollup``
    """

    def __init__(self, action: argparse.Action) -> None:
        self.flags = tuple(action.option_strings) or (action.dest,)
        self._action = action

    def add_to_parser(self, parser: ArgumentParser) -> None:
        """Add it to a parser of Airflow."""
        parser._add_action(copy.copy(self._action))  # noqa: SLF001 - argparse has no other way to add what it made


def get_airflow_cli_commands() -> list[CLICommand]:
    """The group ``influx``, for Airflow's command line."""
    from airflow.cli.cli_config import GroupCommand

    from airflow_provider_influx_rollup.cli.main import build_parser

    parser = build_parser()
    return [
        GroupCommand(
            name="influx",
            help=HELP,
            description=f"{HELP}. Without --url and INFLUX_URL the connection {DEFAULT_CONN_ID} is taken.",
            subcommands=_commands(parser, {}),
        )
    ]


def _commands(parser: ArgumentParser, known: Mapping[str, Any]) -> list[CLICommand]:
    """The commands of a parser.

    :param known: values that the commands above them decide
    """
    from airflow.cli.cli_config import ActionCommand, GroupCommand

    (nested,) = _nested(parser)
    helps = {one.dest: str(one.help) for one in nested._choices_actions}  # noqa: SLF001 - as above
    commands: list[CLICommand] = []
    for name, one in nested.choices.items():
        values = {**known, **one._defaults, nested.dest: name}  # noqa: SLF001 - as above
        if _nested(one):
            commands.append(GroupCommand(name=name, help=helps[name], subcommands=_commands(one, values)))
            continue
        options: Any = [
            CopiedOption(action)
            for action in one._actions  # noqa: SLF001 - as above
            if not isinstance(action, argparse._HelpAction)  # noqa: SLF001 - Airflow has its own
        ]
        func: Callable[..., None] = partial(run_command, known=values)
        commands.append(
            ActionCommand(name=name, help=helps[name], func=func, args=options, description=one.description)
        )
    return commands


def _nested(parser: ArgumentParser) -> list[_SubParsersAction[Any]]:
    return [one for one in parser._actions if isinstance(one, _SubParsersAction)]  # noqa: SLF001 - as above


def run_command(args: Namespace, *, known: Mapping[str, Any]) -> None:
    """Run a command, and leave with its exit code when that is not 0.

    :param args: what Airflow has parsed
    :param known: what the command's place decides
    """
    from airflow_provider_influx_rollup.cli.main import perform

    for name, value in known.items():
        setattr(args, name, value)
    if "conn_id" in args and not (args.conn_id or args.url or os.environ.get("INFLUX_URL")):
        args.conn_id = DEFAULT_CONN_ID
    code = perform(args)
    if code:
        sys.exit(code)
