"""Archive raw points as Parquet files that are proven equal to the bucket; or look after an archive's files instead."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.cli.archive_deletes import (
    add_delete_arguments,
    forget,
    list_deletes,
)
from airflow_provider_influx_rollup.cli.archive_place import (
    DEADLINE_SECONDS,
    LAST,
    add_place,
    asked_interval,
    drive_files,
    note_nothing,
    open_base,
    org_of,
    spec_of,
    wanted_interval,
)
from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output

HELP = "archive raw points, or verify an archive's files, or see purges of it that did not end"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    add_place(parser)
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--verify",
        action="store_true",
        help="compare every file with its manifest; asks no server, writes nothing",
    )
    parser.add_argument(
        "--every", metavar="DURATION", help="length of a window; default: the interval is one"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="tell what would be archived, by counting; write nothing"
    )
    add_delete_arguments(parser, instead)
    add_interval(parser, last=LAST, is_asked=True)
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Archive or verify; right when all windows are. Or look after deletes that did not end."""
    if args.forget_delete is not None:
        return forget(args, output)
    if args.begun_deletes:
        return list_deletes(args, output)
    return _verify(args, output) if args.verify else _archive(args, output)


def _archive(args: Namespace, output: Output) -> int:
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.cli.exit_codes import RIGHT
    from airflow_provider_influx_rollup.cli.sweep import who
    from airflow_provider_influx_rollup.client.driver import drive
    from airflow_provider_influx_rollup.lifecycle.archive.archive import archive
    from airflow_provider_influx_rollup.lifecycle.archive.state import plan_archive
    from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
    from airflow_provider_influx_rollup.stores.actions import actions_with
    from airflow_provider_influx_rollup.stores.versions import software_versions
    from airflow_provider_influx_rollup.windows.grid import Grid

    args.last = args.last or LAST
    interval = wanted_interval(args, args.every)
    windows = Grid.of(args.every).tile(interval) if args.every else [interval]
    store = open_base(args)
    with connect(args, output, deadline_seconds=DEADLINE_SECONDS) as server:
        spec = spec_of(args, store, server.org, server.ledger_bucket)
        if args.dry_run:
            steps: Any = plan_archive(spec, windows)
        else:
            run_info = RunInfo(run_id=who(args.command))
            steps = archive(spec, windows, run_info, server.client.now, software_versions(server.client))
        found = drive(steps, server.client, output.report, actions_with(store))
    answer = found.as_json()
    _show(answer, output)
    return output.finish(args.command, RIGHT, answer)


def _show(answer: dict[str, Any], output: Output) -> None:
    from airflow_provider_influx_rollup.cli.output import table

    rows = [(name, value) for name, value in answer.items() if isinstance(value, str | int | float)]
    output.show(table(("", ""), rows))


def _verify(args: Namespace, output: Output) -> int:
    from airflow_provider_influx_rollup.archive.paths import measurement_folder
    from airflow_provider_influx_rollup.cli.exit_codes import code_of
    from airflow_provider_influx_rollup.cli.output import number, size, table
    from airflow_provider_influx_rollup.lifecycle.archive.verify import verify_archive

    store = open_base(args)
    folder = measurement_folder(org_of(args), args.bucket, args.measurement)
    interval = asked_interval(args)
    checked = drive_files(verify_archive(folder, interval), store, output)
    output.show(
        table(
            ("window", ">generation", ">points", ">bytes", "found"),
            [
                (
                    one.window,
                    one.generation,
                    number(one.rows),
                    size(one.bytes),
                    one.told,
                )
                for one in checked
            ],
        )
    )
    answers = [
        {
            "window": one.window.as_json(),
            "generation": one.generation,
            "rows": one.rows,
            "problem": one.problem,
            "moved": one.moved,
        }
        for one in checked
    ]
    is_right = bool(checked) and not any(one.problem for one in checked)
    if not checked:
        note_nothing(store.shown_path(folder), interval, output)
    return output.finish(args.command, code_of(is_right), {"generations": answers})
