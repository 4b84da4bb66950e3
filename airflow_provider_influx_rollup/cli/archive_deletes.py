"""Purges that began to delete archived windows and did not end: list them, and forget one whose run is dead."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.cli.archive_place import (
    DEADLINE_SECONDS,
    asked_interval,
    drive_files,
    note_nothing,
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
the newest generation too. If the run is alive after all and carries out its delete after a restore, the next archive drops
those points. So make sure that its process is gone: that Airflow calls the try failed, or has tried again, does not prove
it."""


def add_delete_arguments(parser: ArgumentParser, instead: Any) -> None:
    """The options.

    :param instead: the group of what is done in place of an archive
    """
    instead.add_argument(
        "--begun-deletes",
        action="store_true",
        help="list purges that began to delete and did not say that they ended; asks no server, writes nothing",
    )
    instead.add_argument(
        "--forget-delete",
        metavar="FILE",
        help="remove the file of such a purge whose run is dead; tells what that means, unless --yes",
    )
    parser.add_argument("--yes", action="store_true", help="with --forget-delete: remove it")


def list_deletes(args: Namespace, output: Output) -> int:
    """Print the deletes; right when there is an archive, and none of it."""
    from airflow_provider_influx_rollup.archive.paths import measurement_folder
    from airflow_provider_influx_rollup.cli.exit_codes import code_of
    from airflow_provider_influx_rollup.lifecycle.archive.begun import all_begun_deletes

    store = open_base(args)
    folder = measurement_folder(org_of(args), args.bucket, args.measurement)
    interval = asked_interval(args)
    shown = store.shown_path(folder)
    found = drive_files(all_begun_deletes(folder, interval), store, output)
    if found is None:
        note_nothing(shown, interval, output)
    elif not found:
        of = f" of {interval}" if interval else ""
        output.show(f"no purge of {shown} has begun to delete windows{of} and not ended")
    _show(found or [], output)
    values = {"begun_deletes": [one.as_json() for one in found or []]}
    return output.finish(args.command, code_of(found == []), values)


def forget(args: Namespace, output: Output) -> int:
    """Remove a file, or tell what that means; right when it is removed."""
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.cli.exit_codes import code_of
    from airflow_provider_influx_rollup.client.driver import drive
    from airflow_provider_influx_rollup.exceptions import ConfigurationError
    from airflow_provider_influx_rollup.lifecycle.archive.begun import NAME_ONE, forget_delete
    from airflow_provider_influx_rollup.stores.actions import actions_with

    if not args.forget_delete:
        what = "--forget-delete names no file"
        raise ConfigurationError(what, written="nothing", fix=NAME_ONE)
    is_removed = args.yes and not args.dry_run
    store = open_base(args)
    with connect(args, output, deadline_seconds=DEADLINE_SECONDS) as server:
        spec = spec_of(args, store, server.org, server.ledger_bucket)
        steps = forget_delete(spec, args.forget_delete, server.client.now, dry_run=not is_removed)
        begun = drive(steps, server.client, output.report, actions_with(store))
    _show([begun], output)
    way = "give --yes, and no --dry-run" if args.dry_run else "give --yes"
    output.show(WILL, "removed" if is_removed else f"nothing is removed: {way}")
    values = {"forgotten": is_removed, "begun_deletes": [begun.as_json()]}
    return output.finish(args.command, code_of(is_removed), values)


def _show(found: Sequence[BegunDelete], output: Output) -> None:
    # no table: a file's name must not be broken, as it is what --forget-delete takes
    for one in found:
        output.show(one.file, f"  begun by {one.text()}")
