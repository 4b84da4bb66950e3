"""Entry point of ``influx-rollup``: the commands, and what becomes of errors."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup import __version__
from airflow_provider_influx_rollup.cli import (
    archive,
    buckets,
    catalog,
    certificate,
    compact,
    coverage,
    doctor,
    erase,
    explain,
    export,
    init,
    lateness,
    lint,
    plan,
    receipts,
    reconcile,
    restore,
    run,
    schema,
    tasks,
    tiers,
    token,
    verify,
    watch,
)
from airflow_provider_influx_rollup.cli.arguments import Parser, WrongCall
from airflow_provider_influx_rollup.cli.command import Command
from airflow_provider_influx_rollup.cli.exit_codes import (
    EXPLANATION,
    INTERRUPTED,
    RIGHT,
    UNUSABLE,
    code_of_error,
)
from airflow_provider_influx_rollup.cli.stage_commands import STAGE_COMMANDS
from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxRollupError

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output

_FULL = (errno.ENOSPC, errno.EDQUOT)
COMMANDS = (
    Command.of(init),
    Command.of(run),
    *STAGE_COMMANDS,
    *map(
        Command.of,
        (
            buckets,
            explain,
            plan,
            coverage,
            watch,
            verify,
            reconcile,
            receipts,
            lateness,
            lint,
            doctor,
            archive,
            catalog,
            restore,
            compact,
            export,
            erase,
            certificate,
            token,
            schema,
            tiers,
            tasks,
        ),
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    :param argv: the arguments; default: those of the process
    """
    _open_closed()
    if isinstance(sys.stdout, TextIOWrapper):
        # a name may have letters that the terminal's encoding lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # the reader has gone, such as `head`
        _end_stdout()
        return RIGHT
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _end_stdout()
        sys.stderr.write(f"the answer could not be written: {error.strerror}\n")
        return UNUSABLE
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _open_closed() -> None:
    """Write to nowhere what the caller has closed, as services do: the exit code is told all the same."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
            setattr(sys, name, nowhere)


def _end_stdout() -> None:
    """Throw away what is not written yet: Python would complain again when it flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(argv: Sequence[str] | None) -> int:
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        args = build_parser().parse_args(arguments)
    except WrongCall as refusal:
        return _refuse(refusal, arguments)
    return perform(args)


def perform(args: argparse.Namespace) -> int:
    """Do what was parsed, and return the exit code.

    :param args: of ``build_parser``
    """
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
    for command in COMMANDS:
        options = commands.add_parser(
            command.name,
            help=command.help,
            description=command.description,
            epilog=EXPLANATION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(options)
        options.set_defaults(run=command.run)
    return parser


def _refuse(refusal: WrongCall, arguments: Sequence[str]) -> int:
    """Programs get the error as JSON, whatever is wrong with the call; people get the options."""
    if "--json" in arguments:
        command = next((one.name for one in COMMANDS if one.name in arguments[:1]), "")
        _output(as_json=True, verbose=False).fail(command, ConfigurationError(str(refusal)))
    else:
        sys.stderr.write(refusal.usage)
    return UNUSABLE


def _output(as_json: bool, verbose: bool) -> Output:
    # the client logs each try; people want to hear of the last one only
    logging.basicConfig(level=logging.WARNING if verbose else logging.ERROR, format="%(message)s")
    # tables cost a tenth of a second to import, which --help need not pay
    output: Output = import_module("airflow_provider_influx_rollup.cli.output").Output(
        as_json=as_json, is_verbose=verbose
    )
    return output
