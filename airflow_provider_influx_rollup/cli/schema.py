"""Print the JSON schema of lifecycle files or of rule files, by which editors complete and check them."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.arguments import add_output
from airflow_provider_influx_rollup.cli.exit_codes import RIGHT

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output

HELP = "the JSON schema of lifecycle files or of rule files, for editors"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--rules", action="store_true", help="that of rule files, not of lifecycle files")
    add_output(parser)


def run(args: Namespace, output: Output) -> int:  # noqa: ARG001 - every command takes both
    """Print the schema, which is JSON with and without ``--json``."""
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared_schema import schema_of
    from airflow_provider_influx_rollup.lifecycle.validate.rule_file_schema import rule_file_schema

    schema = rule_file_schema() if args.rules else schema_of(Lifecycle, "Lifecycle")
    sys.stdout.write(json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
    return RIGHT
