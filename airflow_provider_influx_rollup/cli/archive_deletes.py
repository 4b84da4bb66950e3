"""Purges that began to delete archived windows and did not end: list them, and forget one whose run is dead."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.archive_place import (
    DEADLINE_SECONDS,
    asked_interval,
    drive_files,
    open_base,
    org_of,
    spec_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.lifecycle.archive_files.begun_deletes import BegunDelete

WILL = """\
Without the file, archives of the window follow the bucket again, as those of all others: what is deleted there goes from
the newest generation too. Should the run live after all, and carry its delete out after a restore, the next archive drops
these points. So make sure that its process is gone: that Airflow calls the try failed, or has tried again, does not prove
it."""


def add_delete_arguments(parser: ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "--begun-deletes",
        action="store_true",
        help="list purges that began to delete and did not say that they ended; asks no server, writes nothing",
    )
    parser.add_argument(
        "--forget-delete",
        metavar="FILE",
        help="remove the file of such a purge whose run is dead; tells what that means, unless --yes",
    )
    parser.add_argument("--yes", action="store_true", help="with --forget-delete: remove it")


def list_deletes(args: Namespace, output: Output) -> int:
    """Print the deletes; right when there is none."""
    from airflow_provider_influx_rollup.archive.paths import measurement_folder
    from airflow_provider_influx_rollup.cli.exit_codes import code_of
    from airflow_provider_influx_rollup.lifecycle.archive.begun import all_begun_deletes

    store = open_base(args)
    folder = measurement_folder(org_of(args), args.bucket, args.measurement)
    found = drive_files(all_begun_deletes(folder, asked_interval(args)), store, output)
    _show(found, output)
    if not found:
        output.show(f"no purge of {store.shown_path(folder)} has begun to delete and not ended")
    return output.finish(
        args.command, code_of(not found), {"begun_deletes": [one.as_json() for one in found]}
    )


def forget(args: Namespace, output: Output) -> int:
    """Remove a file, or tell what that means; right when it is removed."""
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.cli.exit_codes import code_of
    from airflow_provider_influx_rollup.client.driver import drive
    from airflow_provider_influx_rollup.lifecycle.archive.begun import forget_delete
    from airflow_provider_influx_rollup.stores.actions import actions_with

    store = open_base(args)
    with connect(args, output, deadline_seconds=DEADLINE_SECONDS) as server:
        spec = spec_of(args, store, server.org, server.ledger_bucket)
        steps = forget_delete(spec, args.forget_delete, server.client.now, dry_run=not args.yes)
        begun = drive(steps, server.client, output.report, actions_with(store))
    _show([begun], output)
    output.show(WILL, "removed" if args.yes else "nothing is removed: give --yes")
    values = {"forgotten": bool(args.yes), "begun_deletes": [begun.as_json()]}
    return output.finish(args.command, code_of(args.yes), values)


def _show(found: Sequence[BegunDelete], output: Output) -> None:
    # no table: a file's name must not be broken, as it is what --forget-delete takes
    for one in found:
        output.show(one.file, f"  begun by {one.text()}")
