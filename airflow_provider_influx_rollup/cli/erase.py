"""Erase series everywhere: the bucket, what pipelines made of them, every archive file. Tells what would go, unless --yes."""

from __future__ import annotations

import secrets
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.archive_place import (
    DEADLINE_SECONDS,
    add_place,
    open_base,
    spec_of,
    wanted_interval,
)
from airflow_provider_influx_rollup.cli.arguments import add_connection, tags_of
from airflow_provider_influx_rollup.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.lifecycle.erase.erase import EraseResult
    from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
    from airflow_provider_influx_rollup.windows.interval import Interval

HELP = "erase series everywhere, for privacy requests"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    add_place(parser)
    parser.add_argument(
        "--tag",
        action="append",
        required=True,
        metavar="KEY=VALUE",
        help="what the series have, exactly; several must all be there",
    )
    parser.add_argument("--from", dest="start", metavar="TIME", help="only points from then on, with --to")
    parser.add_argument(
        "--to", dest="stop", metavar="TIME", help="not included, with --from; default: all time"
    )
    pipelines = parser.add_mutually_exclusive_group()
    pipelines.add_argument(
        "--pipeline", action="append", metavar="NAME", help="only these pipelines' rows; default: all"
    )
    pipelines.add_argument(
        "--no-pipelines",
        action="store_true",
        help="there are none, so that a ledger which knows none is as it should be",
    )
    parser.add_argument(
        "--quarantine-bucket",
        action="append",
        default=[],
        metavar="BUCKET",
        help="copies that a validation made",
    )
    parser.add_argument(
        "--status-bucket", action="append", default=[], metavar="BUCKET", help="statuses of deadman checks"
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="even when nothing was ever archived under BASE"
    )
    parser.add_argument("--key", metavar="FILE", help="the secret or private key that signs the certificate")
    parser.add_argument(
        "--yes", action="store_true", help="erase for good; without it only tell what would go"
    )
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Erase, or tell what would go; right when all is gone, and for a dry run when there is nothing."""
    from airflow_provider_influx_rollup.cli.certificate import read_key
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.cli.exit_codes import code_of
    from airflow_provider_influx_rollup.cli.sweep import who
    from airflow_provider_influx_rollup.client.driver import drive
    from airflow_provider_influx_rollup.lifecycle.erase.erase import EraseRun, erase
    from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
    from airflow_provider_influx_rollup.stores.actions import actions_with
    from airflow_provider_influx_rollup.stores.versions import software_versions

    interval = _interval(args)
    store = open_base(args)
    key = read_key(args.key) if args.key else None
    with connect(args, output, deadline_seconds=DEADLINE_SECONDS) as server:
        spec = _spec(args, server.org, server.ledger_bucket, store, interval)
        run_info = RunInfo(run_id=who(args.command))
        by = EraseRun(
            info=run_info,
            now=server.client.now,
            versions=software_versions(server.client),
            salt=secrets.token_bytes(16),
            key=key,
        )
        steps = erase(spec, by, dry_run=not args.yes)
        found = drive(steps, server.client, output.report, actions_with(store))
    answer = found.as_json()
    _show(found, output)
    is_right = not answer["kept"] if args.yes else not found.found.total
    return output.finish(args.command, code_of(is_right), answer)


def _spec(
    args: Namespace, org: str, ledger_bucket: str, store: ArchiveStore, interval: Interval | None
) -> EraseSpec:
    from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec

    return EraseSpec(
        archive=spec_of(args, store, org, ledger_bucket),
        tags=tags_of(args.tag),
        interval=interval,
        pipelines=tuple(args.pipeline or ()) if args.pipeline or args.no_pipelines else None,
        quarantine_buckets=tuple(args.quarantine_bucket),
        status_buckets=tuple(args.status_bucket),
        require_archive=not args.allow_missing,
    )


def _interval(args: Namespace) -> Interval | None:
    if not args.start and not args.stop:
        return None
    if not args.start or not args.stop:
        what = "--to is given without --from" if args.stop else "--from is given without --to"
        raise ConfigurationError(what, written="nothing", fix="give both, or none for all time")
    args.last = None
    return wanted_interval(args)


def _show(found: EraseResult, output: Output) -> None:
    from airflow_provider_influx_rollup.cli.output import number, table

    answer = found.as_json()
    rows = [(place, number(count)) for place, count in answer["places"].items()]
    output.show(table(("place", ">erased" if not found.dry_run else ">would go"), rows))
    for name, windows in answer["computed_again"].items():
        output.note(f"pipeline {name}: {windows} windows were computed again")
    for name, kept in answer["kept"].items():
        output.note(f"pipeline {name} {'may keep' if found.dry_run else 'keeps'} something: {kept['why']}")
    for name in answer["named_in_specs"]:
        output.note(f"pipeline {name}: its specification in the ledger still has a value of the tags")
    certificate = answer["certificate"]
    if certificate:
        output.show(f"certificate {certificate['number']}, sha256 {certificate['sha256']}")
    elif found.dry_run and answer["places"]:
        output.note("nothing was erased: give --yes")
