"""Compare pipelines with their sources and print the differences, for ``verify`` and ``reconcile``."""

from __future__ import annotations

import getpass
import socket
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
    from airflow_provider_influx_rollup.lifecycle.reconcile.result import ReconcileResult

# a comparison is work like a task's, not a look-up that a person waits for
DEADLINE_SECONDS = 60.0
MAX_WINDOWS = 20


def add_sweep(parser: ArgumentParser) -> None:
    """The options of a comparison."""
    parser.add_argument(
        "--strict", action="store_true", help="recompute every aggregate of every window from the raw points"
    )
    parser.add_argument("--no-cascade", action="store_true", help="leave the higher tiers alone")


def run_sweep(args: Namespace, output: Output, mode: str, max_windows: int | None = None) -> int:
    """Compare, and repair unless it is a plan; right when all windows are right at the end.

    :param mode: ``"plan"`` or ``"repair"``
    :param max_windows: most windows of each pipeline that are repaired
    """
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.cli.each import for_each
    from airflow_provider_influx_rollup.cli.interval import interval_of, require_times
    from airflow_provider_influx_rollup.cli.pipelines import chosen_pipelines
    from airflow_provider_influx_rollup.lifecycle.reconcile.reconcile import reconcile_pipeline
    from airflow_provider_influx_rollup.lifecycle.reconcile.spec import ReconcileOptions, ReconcileSpec
    from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo

    options = ReconcileOptions(mode, True if args.strict else None, max_windows)
    run = RunInfo(run_id=who(args.command))
    with connect(args, output, deadline_seconds=DEADLINE_SECONDS) as server:

        def sweep(spec: RollupSpec) -> tuple[dict[str, Any], bool]:
            interval = interval_of(args, spec.grid, server.client.now())
            asked = ReconcileSpec(
                rollup=spec, ledger_bucket=server.ledger_bucket, cascade=not args.no_cascade, options=options
            )
            result = server.drive(reconcile_pipeline(asked, interval, run, server.client.now))
            _show(result, output)
            return result.as_json(), result.is_clean

        specs = chosen_pipelines(server, args.pipeline)
        require_times(args, specs, server.client.now())
        answers, code = for_each(specs, output, sweep)
    return output.finish(args.command, code, {"mode": mode, "pipelines": answers})


def who(command: str) -> str:
    """The author of a repair, for the history in the ledger."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"  # a container may run as a user without a name
    return f"influx-rollup {command} by {user}@{socket.gethostname()}"


def _show(result: ReconcileResult, output: Output, indent: str = "") -> None:
    from airflow_provider_influx_rollup.cli.output import number

    done = result.repaired
    output.show(f"{indent}{result.spec.pipeline_name}  {result.interval or ''}", f"{indent}{result.text()}")
    if done.windows or done.unsettled:
        written = f"{number(done.rows)} rows with {number(done.values)} values written"
        output.show(f"{indent}{written}, {number(done.deleted)} values removed")
    dirty = [
        (change.window, ", ".join(reason.value for reason in change.reasons), number(change.series))
        for change in result.dirty
    ]
    output.show_first(("dirty", "why", ">series"), dirty, MAX_WINDOWS)
    left = [(one.window, "frozen", one.why) for one in result.frozen]
    left += [(one.window, "waiting", one.why) for one in result.waiting]
    left += [(window, "failed", error.what) for window, error in result.failed.items()]
    output.show_first(("left as it is", "state", "why"), left, MAX_WINDOWS)
    for note in result.notes:
        output.show(f"note: {note}")
    for tier in result.cascaded:
        _show(tier, output, "  ")
    output.show("")
