"""Delete archived points that are older than purge_after, with proof. Without --yes nothing is deleted."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval
from airflow_provider_influx_rollup.cli.run import add_lifecycle, add_yes, run_stages

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output

HELP = "purge archived points of a lifecycle file; a dry run without --yes"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    add_lifecycle(parser)
    add_yes(parser)
    add_interval(parser, last="1d")
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Purge; right when no window is refused."""
    return run_stages(args, output, ("purge",))
