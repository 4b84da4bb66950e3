"""Compare the buckets of a lifecycle file with those of the server; with --yes make and change them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.arguments import add_connection

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output

HELP = "what differs in the buckets of a lifecycle file; with --yes make them so"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("lifecycle", metavar="LIFECYCLE", help="a file with a lifecycle, YAML or JSON")
    parser.add_argument("--yes", action="store_true", help="make and change the buckets")
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Print the differences; right when there are none left."""
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.cli.exit_codes import code_of
    from airflow_provider_influx_rollup.cli.output import table
    from airflow_provider_influx_rollup.exceptions import ConfigurationError
    from airflow_provider_influx_rollup.lifecycle.buckets.buckets import ensure_buckets
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
    from airflow_provider_influx_rollup.shown import counted

    lifecycle = Lifecycle.from_yaml(args.lifecycle)
    if not lifecycle.buckets:
        what = f"{args.lifecycle} declares no buckets"
        raise ConfigurationError(what, written="nothing", fix="add buckets to the file")
    ledger = args.ledger_bucket or lifecycle.ledger_bucket
    with connect(args, output) as server:
        steps = ensure_buckets(lifecycle.buckets, ledger, server.client.now, dry_run=not args.yes)
        found = server.drive(steps)
    rows = [(one.bucket, one.what, one.before or "no bucket", one.after) for one in found.changes]
    if rows:
        output.show(table(("bucket", "what", "is", "becomes" if not args.yes else "is now"), rows))
    same = len(found.unchanged) + (len({one.bucket for one in found.changes}) if args.yes else 0)
    output.show(f"{counted(same, 'bucket')} {'is' if same == 1 else 'are'} as declared")
    if rows and not args.yes:
        output.show("nothing was done; give --yes to make and change them")
    return output.finish(args.command, code_of(args.yes or not found.changes), found.as_json())
