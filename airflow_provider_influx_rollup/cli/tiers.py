"""Print the tiers of a lifecycle file, or a Flux function that reads the one that fits a time range and a resolution."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.arguments import add_output
from airflow_provider_influx_rollup.cli.exit_codes import RIGHT

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output

HELP = "the tiers of a lifecycle file; with --flux a function for dashboards that reads the one that fits"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("lifecycle", metavar="LIFECYCLE", help="a file with a lifecycle, YAML or JSON")
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--flux", action="store_true", help="print the function, and nothing else")
    forms.add_argument("--grafana", action="store_true", help="print a dashboard of Grafana that uses it")
    add_output(parser)


def run(args: Namespace, output: Output) -> int:
    """Print the tiers, the function or the dashboard."""
    from airflow_provider_influx_rollup.cli.output import table
    from airflow_provider_influx_rollup.cli.tiers_dashboard import dashboard
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
    from airflow_provider_influx_rollup.lifecycle.pipeline.tier_function import tier_function

    lifecycle = Lifecycle.from_yaml(args.lifecycle)
    function = tier_function(lifecycle)
    if args.flux:
        sys.stdout.write(function.flux() + "\n")
        return RIGHT
    if args.grafana:
        sys.stdout.write(json.dumps(dashboard(lifecycle, function), indent=2, ensure_ascii=False) + "\n")
        return RIGHT
    rows: list[tuple[object, ...]] = [
        ("raw", lifecycle.source_bucket, "", lifecycle.retention or "forever", "")
    ]
    rows += [
        (number, tier.bucket, tier.every, tier.retention or "forever", tier.lateness)
        for number, tier in enumerate(lifecycle.tiers, start=1)
    ]
    columns = ("tier", "bucket", "every", "kept", "lateness")
    output.show(table(columns, rows))
    values = [dict(zip(columns, row, strict=True)) for row in rows]
    return output.finish(args.command, RIGHT, {"tiers": values})
