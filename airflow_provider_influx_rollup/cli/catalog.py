"""List the archived windows of a measurement by its index; with --rebuild make the index again from the folders."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.archive_place import (
    LAST,
    add_place,
    asked_interval,
    drive_files,
    note_nothing,
    open_base,
    org_of,
)
from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output

HELP = "list archived windows, or make their index again"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    add_place(parser)
    parser.add_argument("--rebuild", action="store_true", help="make the index again from the folders")
    add_interval(parser, last=LAST, is_asked=True)
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Print the windows; right when there are some. Asks no server."""
    from airflow_provider_influx_rollup.archive.paths import measurement_folder
    from airflow_provider_influx_rollup.cli.exit_codes import code_of
    from airflow_provider_influx_rollup.cli.output import number, size, table
    from airflow_provider_influx_rollup.lifecycle.archive_files.index import find_entries, rebuild_catalog

    store = open_base(args)
    folder = measurement_folder(org_of(args), args.bucket, args.measurement)
    if args.rebuild:
        made = drive_files(rebuild_catalog(folder), store, output)
        output.note(f"version {made.version} of the index has {len(made.entries)} windows")
    interval = asked_interval(args)
    entries = drive_files(find_entries(folder, interval), store, output)
    output.show(
        table(
            ("window", ">generation", "archived", ">points", ">series", ">files", ">bytes"),
            [
                (
                    entry.window,
                    entry.generation,
                    entry.created_at,
                    number(entry.rows),
                    number(entry.series),
                    len(entry.parts),
                    size(entry.bytes),
                )
                for entry in entries
            ],
        )
    )
    if not entries:
        note_nothing(store.shown_path(folder), interval, output)
    answers = [entry.as_json() for entry in entries]
    return output.finish(args.command, code_of(bool(entries)), {"windows": answers})
