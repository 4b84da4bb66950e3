"""Compare windows with their source, and repair the series and windows that differ, then those of the higher tiers."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval, add_pipelines
from airflow_provider_influx_rollup.cli.sweep import add_sweep, run_sweep

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output

HELP = "compare windows with their source, and repair what differs"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    add_pipelines(parser, required=True)
    add_sweep(parser)
    parser.add_argument(
        "--max-windows",
        type=int,
        metavar="N",
        help="most windows of each pipeline to repair, the oldest first",
    )
    add_interval(parser, last="7d")
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Repair; right when every window is right at the end."""
    return run_sweep(args, output, "repair", args.max_windows)
