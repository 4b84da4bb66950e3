"""Restore archived points into a bucket, and prove that they are back. A rerun resumes where a run was cut off."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.cli.archive_place import (
    DEADLINE_SECONDS,
    add_place,
    open_base,
    wanted_interval,
)
from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output

HELP = "restore archived points into a bucket"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    add_place(parser)
    parser.add_argument("--source-org", metavar="ORG", help="the organisation that the archive is of (--org)")
    parser.add_argument("--target-bucket", metavar="BUCKET", help="where the points go (--bucket)")
    parser.add_argument("--target-measurement", metavar="NAME", help="the name that they get (--measurement)")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace points with another value, and leave unknown ones"
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="restore what there is when a part was never archived"
    )
    parser.add_argument("--dry-run", action="store_true", help="verify and compare; write nothing")
    add_interval(parser, last="1d")
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Restore; right when all points are back."""
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.cli.exit_codes import code_of
    from airflow_provider_influx_rollup.cli.output import table
    from airflow_provider_influx_rollup.cli.sweep import who
    from airflow_provider_influx_rollup.client.driver import drive
    from airflow_provider_influx_rollup.lifecycle.restore.restore import plan_restore, restore
    from airflow_provider_influx_rollup.lifecycle.restore.spec import RestoreSpec
    from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
    from airflow_provider_influx_rollup.stores.actions import actions_with

    interval = wanted_interval(args)
    store = open_base(args)
    with connect(args, output, deadline_seconds=DEADLINE_SECONDS) as server:
        spec = RestoreSpec(
            org=args.source_org or server.org,
            source_bucket=args.bucket,
            measurement=args.measurement,
            target_bucket=args.target_bucket or args.bucket,
            target_org=server.org,
            shown_path=store.shown,
            target_measurement=args.target_measurement,
            overwrite=args.overwrite,
            allow_missing=args.allow_missing,
            ledger_bucket=server.ledger_bucket,
        )
        steps: Any = (
            plan_restore(spec, interval, server.client.now)
            if args.dry_run
            else restore(spec, interval, RunInfo(run_id=who(args.command)), server.client.now)
        )
        found = drive(steps, server.client, output.report, actions_with(store))
    answer = found.as_json()
    rows = [(name, value) for name, value in answer.items() if isinstance(value, str | int | float)]
    output.show(table(("", ""), rows))
    for gap in answer["missing"]:
        output.note(f"no archive of [{gap['start']}, {gap['stop']})")
    for example in answer.get("examples", ()):
        output.note(f"in the way: {example}")
    is_in_the_way = args.dry_run and not args.overwrite and (answer["changed"] or answer["unknown"])
    return output.finish(args.command, code_of(not is_in_the_way), answer)
