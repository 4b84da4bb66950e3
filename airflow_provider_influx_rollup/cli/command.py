"""A command of ``influx-rollup``: its words, its options, and what it does."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from airflow_provider_influx_rollup.cli.output import Output


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command.

    :param help: in the list of all commands
    :param description: in its own help
    :param run: does it, and returns the exit code
    """

    name: str
    help: str
    description: str | None
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Output], int]

    @classmethod
    def of(cls, module: ModuleType) -> Command:
        """The command that a module holds, which has its name."""
        return cls(
            name=module.__name__.rpartition(".")[2],
            help=module.HELP,
            description=module.__doc__,
            add_arguments=module.add_arguments,
            run=module.run,
        )
