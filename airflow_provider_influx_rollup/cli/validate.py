"""Validate the points of a lifecycle by its rules."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval
from airflow_provider_influx_rollup.cli.run import add_lifecycle, run_stages

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output

HELP = "validate the points of a lifecycle file"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    add_lifecycle(parser)
    add_interval(parser, last="1d")
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Validate; right when no rule is violated, or the file only warns."""
    return run_stages(args, output, ("validate",))
