"""Entry point of ``influx-rollup``: the commands, and what becomes of errors."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup import __version__
from airflow_provider_influx_rollup.cli import (
    archive,
    catalog,
    certificate,
    compact,
    coverage,
    doctor,
    erase,
    export,
    lateness,
    plan,
    receipts,
    reconcile,
    restore,
    verify,
)
from airflow_provider_influx_rollup.cli.arguments import Parser
from airflow_provider_influx_rollup.cli.exit_codes import EXPLANATION, INTERRUPTED, RIGHT, code_of_error
from airflow_provider_influx_rollup.exceptions import InfluxRollupError

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output

COMMANDS = (
    plan,
    coverage,
    verify,
    reconcile,
    receipts,
    lateness,
    doctor,
    archive,
    catalog,
    restore,
    compact,
    export,
    erase,
    certificate,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    :param argv: the arguments; default: those of the process
    """
    try:
        return _run(argv)
    except BrokenPipeError:
        # the reader has gone, such as `head`; Python would complain again when it flushes at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return RIGHT
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(argv: Sequence[str] | None) -> int:
    args = build_parser().parse_args(argv)
    output = _output(args.json, args.verbose)
    try:
        code: int = args.run(args, output)
    except InfluxRollupError as error:
        output.fail(args.command, error)
        code = code_of_error(error)
    return code


def build_parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    parser = Parser(
        prog="influx-rollup",
        description="Look at the windows of rollups in InfluxDB, and put them right.",
        epilog=EXPLANATION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            epilog=EXPLANATION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def _output(as_json: bool, verbose: bool) -> Output:
    # the client logs each try; people want to hear of the last one only
    logging.basicConfig(level=logging.WARNING if verbose else logging.ERROR, format="%(message)s")
    # tables cost a tenth of a second to import, which --help need not pay
    output: Output = import_module("airflow_provider_influx_rollup.cli.output").Output(
        as_json=as_json, is_verbose=verbose
    )
    return output
