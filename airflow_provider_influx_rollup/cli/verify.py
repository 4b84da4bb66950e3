"""Recompute windows from the source and compare them with what is stored. Writes nothing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval, add_pipelines
from airflow_provider_influx_rollup.cli.sweep import add_sweep, run_sweep

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output

HELP = "compare windows with their source, write nothing"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    add_pipelines(parser)
    add_sweep(parser)
    add_interval(parser, last="7d")
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Print what differs; right when nothing does."""
    return run_sweep(args, output, "plan")
