"""Bring archived points into a Delta table; what it holds already is left alone. Asks no server."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.archive_place import (
    add_place,
    drive_files,
    open_base,
    org_of,
    wanted_interval,
)
from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output

HELP = "export archived points into a lakehouse table"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    add_place(parser)
    parser.add_argument("--table", metavar="URI", required=True, help="folder or URL of the table")
    parser.add_argument("--format", choices=("delta",), default="delta", help="kind of the table (delta)")
    parser.add_argument("--dry-run", action="store_true", help="tell what would be committed; write nothing")
    add_interval(parser, last="7d")
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Export the archived windows that overlap the interval; right when the table holds all of them."""
    from airflow_provider_influx_rollup.cli.exit_codes import RIGHT
    from airflow_provider_influx_rollup.cli.output import table
    from airflow_provider_influx_rollup.cli.sweep import who
    from airflow_provider_influx_rollup.client.server_clock import machine_now
    from airflow_provider_influx_rollup.lifecycle.export.export import export
    from airflow_provider_influx_rollup.lifecycle.export.spec import ExportSpec
    from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
    from airflow_provider_influx_rollup.stores.store_url import shown_url

    store = open_base(args)
    uri = shown_url(args.table, "the path of the table")
    spec = ExportSpec(
        org=org_of(args),
        bucket=args.bucket,
        measurement=args.measurement,
        shown_path=store.shown,
        table=uri,
        table_format=args.format,
    )
    run_info = RunInfo(run_id=who(args.command))
    steps = export(spec, wanted_interval(args), run_info, machine_now, dry_run=args.dry_run)
    answer = drive_files(steps, store, output).as_json()
    rows = [(name, value) for name, value in answer.items() if isinstance(value, str | int | float)]
    output.show(table(("", ""), rows))
    return output.finish(args.command, RIGHT, answer)
