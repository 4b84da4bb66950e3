"""Check the server, the token, the ledger, the buckets, archives and this machine; each line says ok, warn or fail, and the fix."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.arguments import add_connection
from airflow_provider_influx_rollup.cli.exit_codes import RIGHT, WRONG, code_of_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.lifecycle.doctor.findings import Finding

HELP = "find what is wrong, or will be"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "--stuck-after",
        metavar="DURATION",
        default="1h",
        help="how long a window may be WRITING, or purged (1h)",
    )
    parser.add_argument(
        "--drift-since",
        metavar="DURATION",
        default="30d",
        help="how far back earlier specs are looked for (30d)",
    )
    parser.add_argument(
        "--archive",
        metavar="BASE",
        action="append",
        default=[],
        help="look for purges of this archive that began to delete and did not end, in all its buckets; may be given again",
    )
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Print the findings; right when none is a fail."""
    from airflow_provider_influx_rollup.cli.machine import examine_machine
    from airflow_provider_influx_rollup.exceptions import InfluxRollupError
    from airflow_provider_influx_rollup.lifecycle.doctor.findings import Finding, Severity
    from airflow_provider_influx_rollup.windows.duration import Duration

    stuck_after, drift_since = (Duration.of(text).timedelta for text in (args.stuck_after, args.drift_since))
    findings = examine_machine()
    for base in args.archive:
        findings += _examine_archive(args, base, output, stuck_after)
    code = RIGHT
    try:
        findings += _examine_server(args, output, stuck_after, drift_since)
    except InfluxRollupError as error:
        # also of a wrong call: what was found of the machine and of archives is told all the same
        name = type(error).__name__
        findings.append(
            Finding("server", Severity.FAIL, f"{name}: {error.what}", error.fix or "look at the server")
        )
        code = code_of_error(error)
    if code == RIGHT and any(finding.status is Severity.FAIL for finding in findings):
        code = WRONG
    _show(findings, output)
    return output.finish(args.command, code, {"findings": [finding.as_json() for finding in findings]})


def _examine_server(
    args: Namespace, output: Output, stuck_after: timedelta, drift_since: timedelta
) -> list[Finding]:
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.client.server_clock import machine_now
    from airflow_provider_influx_rollup.lifecycle.doctor.doctor import examine
    from airflow_provider_influx_rollup.lifecycle.doctor.findings import Finding, Severity

    with connect(args, output) as server:
        health = server.client.health()
        is_well = health.status == "pass"
        text = f"{health.name} {health.version} answers, status {health.status}"
        first = Finding(
            "server", Severity.OK if is_well else Severity.FAIL, text, "" if is_well else "read its log"
        )
        steps = examine(server.ledger_bucket, machine_now, stuck_after=stuck_after, drift_since=drift_since)
        return [first, *server.drive(steps)]


def _examine_archive(args: Namespace, base: str, output: Output, stuck_after: timedelta) -> list[Finding]:
    from airflow_provider_influx_rollup.cli.archive_place import drive_files
    from airflow_provider_influx_rollup.cli.connection import given_options
    from airflow_provider_influx_rollup.client.server_clock import machine_now
    from airflow_provider_influx_rollup.exceptions import InfluxRollupError
    from airflow_provider_influx_rollup.lifecycle.doctor.begun_deletes import CHECK, examine_archive
    from airflow_provider_influx_rollup.lifecycle.doctor.findings import Finding, Severity
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore

    try:
        store = ArchiveStore.of_url(base)
        steps = examine_archive(
            store.shown, machine_now, stuck_after=stuck_after, options=given_options(args)
        )
        return drive_files(steps, store, output)
    except InfluxRollupError as error:
        # the other lines are told all the same
        text = f"{type(error).__name__}: {error.what}"
        return [Finding(CHECK, Severity.FAIL, text, error.fix or "look at the archive's store")]


def _show(findings: Sequence[Finding], output: Output) -> None:
    from rich.text import Text

    from airflow_provider_influx_rollup.cli.output import table

    styles = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    rows = [
        (
            Text(one.status.value, styles[one.status.value]),
            one.check,
            one.message + (f"\nfix: {one.fix}" if one.fix else ""),
        )
        for one in findings
    ]
    output.show(table(("", "check", "finding"), rows))
