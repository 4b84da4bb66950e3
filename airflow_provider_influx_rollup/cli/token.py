"""Show which permissions a lifecycle file needs, stage by stage, or make a token that has these and no others."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.cli.arguments import add_connection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_influx_rollup.cli.connection import Server
    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.lifecycle.pipeline.permissions import Permission

HELP = "the permissions that a lifecycle file needs, or a token with these and no others"
STAGES = ("buckets", "validate", "rollup", "deadman", "reconcile", "archive", "purge")


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "action",
        choices=("plan", "create"),
        help="plan asks no server; create needs a token that may make others",
    )
    parser.add_argument("lifecycle", metavar="LIFECYCLE", help="a file with a lifecycle, YAML or JSON")
    parser.add_argument(
        "--stage", action="append", choices=STAGES, help="only for this stage; can be repeated; default: all"
    )
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Print the permissions, or the token, which is shown this once."""
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.cli.exit_codes import RIGHT
    from airflow_provider_influx_rollup.cli.output import table

    by_stage = _wanted(args)
    told = {stage: [_as_json(one) for one in needed] for stage, needed in by_stage.items()}
    rows = [(stage, one) for stage, needed in by_stage.items() for one in needed]
    if args.action == "plan":
        output.show(table(("stage", "permission"), rows))
        return output.finish(args.command, RIGHT, {"stages": told})
    needed = sorted({one for _, one in rows})
    with connect(args, output) as server:
        identity, token = server.client.tokens.make(
            f"influx-rollup: {', '.join(by_stage)} of {args.lifecycle}", _with_ids(server, needed)
        )
    output.show(f"token {identity}, which is shown this once:", token)
    return output.finish(args.command, RIGHT, {"stages": told, "id": identity, "token": token})


def _wanted(args: Namespace) -> dict[str, tuple[Permission, ...]]:
    from airflow_provider_influx_rollup.cli.lifecycle_stages import with_ledger
    from airflow_provider_influx_rollup.exceptions import ConfigurationError
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
    from airflow_provider_influx_rollup.lifecycle.pipeline.permissions import permissions_of

    found = permissions_of(with_ledger(Lifecycle.from_yaml(args.lifecycle), args.ledger_bucket))
    missing = [stage for stage in args.stage or () if stage not in found]
    if missing:
        what = f"{args.lifecycle} declares no {' and no '.join(missing)}"
        raise ConfigurationError(what, written="nothing", fix=f"use {', '.join(found)}")
    return {stage: needed for stage, needed in found.items() if not args.stage or stage in args.stage}


def _with_ids(server: Server, needed: Iterable[Permission]) -> list[dict[str, str]]:
    """Permissions as the API takes them: buckets by their ids, so that they must exist."""
    from airflow_provider_influx_rollup.exceptions import BucketNotFound

    found, missing = [], []
    for one in needed:
        bucket = server.client.find_bucket(one.bucket) if one.bucket else None
        if one.bucket and bucket is None:
            missing.append(one.bucket)
        found.append({"action": one.action, "type": one.kind, **({"id": bucket.id} if bucket else {})})
    if missing:
        what = f"bucket {', '.join(map(repr, sorted(set(missing))))} does not exist, or the token may not read it"
        fix = "create it first, such as with influx-rollup buckets LIFECYCLE --yes; the ledger too"
        raise BucketNotFound(what, written="nothing", fix=fix)
    return found


def _as_json(permission: Permission) -> dict[str, Any]:
    return {"action": permission.action, "type": permission.kind, "bucket": permission.bucket or None}
