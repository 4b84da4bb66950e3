"""The commands that run one stage of a lifecycle file each."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval
from airflow_provider_influx_rollup.cli.command import Command
from airflow_provider_influx_rollup.cli.run import add_again, add_lifecycle, add_yes, run_stages

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output


def _of_stage(
    name: str, text: str, description: str, *own_options: Callable[[ArgumentParser], None]
) -> Command:
    """The command that has the name of a stage; right when the stage is."""

    def add_arguments(parser: ArgumentParser) -> None:
        for add in (add_lifecycle, *own_options):
            add(parser)
        add_interval(parser, last="1d")
        add_connection(parser)

    def run(args: Namespace, output: Output) -> int:
        return run_stages(args, output, (name,))

    return Command(name=name, help=text, description=description, add_arguments=add_arguments, run=run)


STAGE_COMMANDS = (
    _of_stage(
        "rollup",
        "roll up the tiers of a lifecycle file",
        "Roll up the windows of a lifecycle's tiers that are not done.",
        add_again,
    ),
    _of_stage(
        "validate",
        "validate the points of a lifecycle file",
        "Validate the points of a lifecycle by its rules.",
    ),
    _of_stage(
        "deadman",
        "name the silent series of a lifecycle file",
        "Check the series of a lifecycle for silence at the end of the interval.",
    ),
    _of_stage(
        "purge",
        "purge archived points of a lifecycle file; a dry run without --yes",
        "Delete archived points that are older than purge_after, with proof. Without --yes nothing is deleted.",
        add_yes,
    ),
)
