"""Merge the files of small archived windows into those of larger ones, with proof. Asks no server."""

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

HELP = "merge archived windows into larger ones"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    add_place(parser)
    parser.add_argument(
        "--into", metavar="DURATION", required=True, help="length of a large window, such as 1d or 1mo"
    )
    parser.add_argument(
        "--timezone", metavar="ZONE", default="UTC", help="where large days and months begin (UTC)"
    )
    parser.add_argument(
        "--min-age", metavar="DURATION", default="1d", help="how long ago a large window must have ended (1d)"
    )
    parser.add_argument(
        "--remove-small",
        action="store_true",
        help="remove files of purged windows that large ones hold; manifests stay",
    )
    parser.add_argument("--dry-run", action="store_true", help="tell what would be made; write nothing")
    add_interval(parser, last="7d")
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Compact the large windows that end in the interval; right when all of them are made."""
    from airflow_provider_influx_rollup.cli.exit_codes import RIGHT
    from airflow_provider_influx_rollup.cli.output import table
    from airflow_provider_influx_rollup.cli.sweep import who
    from airflow_provider_influx_rollup.client.server_clock import machine_now
    from airflow_provider_influx_rollup.lifecycle.compact.compact import compact
    from airflow_provider_influx_rollup.lifecycle.compact.spec import CompactSpec
    from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
    from airflow_provider_influx_rollup.stores.versions import file_versions

    store = open_base(args)
    spec = CompactSpec(
        org=org_of(args),
        bucket=args.bucket,
        measurement=args.measurement,
        shown_path=store.shown,
        into=args.into,
        timezone=args.timezone,
        min_age=args.min_age,
        remove_small=args.remove_small,
    )
    run_info = RunInfo(run_id=who(args.command))
    steps = compact(spec, wanted_interval(args), run_info, machine_now, file_versions(), dry_run=args.dry_run)
    answer = drive_files(steps, store, output).as_json()
    rows = [(name, value) for name, value in answer.items() if isinstance(value, str | int | float)]
    output.show(table(("", ""), rows))
    return output.finish(args.command, RIGHT, answer)
