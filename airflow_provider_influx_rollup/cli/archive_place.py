"""Options of all commands about archives: where the archive is, and of which bucket."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.exceptions import ConfigurationError

if TYPE_CHECKING:
    from typing import TypeVar

    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
    from airflow_provider_influx_rollup.steps.step import Steps
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
    from airflow_provider_influx_rollup.windows.interval import Interval

    Result = TypeVar("Result")

# an archive is work like a task's, not a look-up that a person waits for
DEADLINE_SECONDS = 60.0
#: without --from
LAST = "1d"


def add_place(parser: ArgumentParser) -> None:
    """Options for the archive's place and its bucket."""
    parser.add_argument(
        "base", metavar="BASE", help="the archive's folder, or a URL such as s3://lake/telemetry"
    )
    parser.add_argument("--bucket", required=True, help="the bucket that the archive is of")
    parser.add_argument("--measurement", required=True, help="the measurement that the archive is of")


def org_of(args: Namespace) -> str:
    """The organisation, which is the first folder of an archive.

    :raises ConfigurationError: when neither option nor environment names it
    """
    found = args.org or os.environ.get("INFLUX_ORG")
    if not found:
        what = "--org is not given, and INFLUX_ORG is not set"
        raise ConfigurationError(what, fix="name the organisation that the archive is of")
    return str(found)


def open_base(args: Namespace) -> ArchiveStore:
    """The archive's folder."""
    from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore

    return ArchiveStore.of_url(args.base)


def spec_of(args: Namespace, store: ArchiveStore, org: str, ledger_bucket: str) -> ArchiveSpec:
    """The archive of the bucket and measurement that the options name."""
    from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec

    return ArchiveSpec(
        org=org,
        bucket=args.bucket,
        measurement=args.measurement,
        shown_path=store.shown,
        ledger_bucket=ledger_bucket,
    )


def drive_files(steps: Steps[Result], store: ArchiveStore, output: Output) -> Result:
    """Run steps that read and write files, and ask no server."""
    from typing import cast

    from airflow_provider_influx_rollup.client.driver import drive
    from airflow_provider_influx_rollup.client.influx_client import InfluxClient
    from airflow_provider_influx_rollup.stores.actions import actions_with

    return drive(steps, cast("InfluxClient", None), output.report, actions_with(store))


def wanted_interval(args: Namespace, every: str | None = None) -> Interval:
    """The interval that the options name.

    :param every: length of the windows; None: exactly the times that are named, and to the second where the time now is
    """
    from airflow_provider_influx_rollup.cli.interval import interval_of
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec

    return interval_of(args, GridSpec(every or "1us"), datetime.now(UTC).replace(microsecond=0))


def asked_interval(args: Namespace) -> Interval | None:
    """The interval that the options name; None when they name none, and all of the archive is meant.

    :param args: of ``add_interval`` with ``is_asked``
    """
    if not (args.start or args.stop or args.last):
        return None
    args.last = args.last or LAST
    return wanted_interval(args)


def note_nothing(shown: str, interval: Interval | None, output: Output) -> None:
    """Say that there is no archive, where the options asked for it.

    :param shown: the folder of the measurement, for people
    """
    of = f" of {interval}" if interval else "; that of a renamed bucket is under the bucket's earlier name"
    output.note(f"{shown} has no archive{of}")
