"""Roll up the windows of a lifecycle's tiers that are not done."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval
from airflow_provider_influx_rollup.cli.run import add_again, add_lifecycle, run_stages

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output

HELP = "roll up the tiers of a lifecycle file"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    add_lifecycle(parser)
    add_again(parser)
    add_interval(parser, last="1d")
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Roll up; right when all windows are committed."""
    return run_stages(args, output, ("rollup",))
