"""Look at the windows again and again while runs work on them, until all are committed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from contextlib import nullcontext
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval, add_pipelines

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Group, RenderableType

    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.lifecycle.plan.coverage import CoverageResult
    from airflow_provider_influx_rollup.steps.progress import Progress

HELP = "the bars of coverage, redrawn while a backfill runs, with its rate and the time left"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of the command."""
    add_pipelines(parser)
    parser.add_argument("--refresh", metavar="DURATION", default="5s", help="how long between two looks (5s)")
    add_interval(parser, last="7d")
    add_connection(parser)


def run(args: Namespace, output: Output) -> int:
    """Redraw until no window is left to be done; right when every window that is due is committed then."""
    from airflow_provider_influx_rollup.cli.connection import connect
    from airflow_provider_influx_rollup.cli.exit_codes import code_of
    from airflow_provider_influx_rollup.cli.interval import interval_of
    from airflow_provider_influx_rollup.cli.pipelines import chosen_pipelines
    from airflow_provider_influx_rollup.lifecycle.plan.coverage import coverage
    from airflow_provider_influx_rollup.windows.duration import Duration

    refresh_seconds = Duration.of(args.refresh).timedelta.total_seconds()
    with connect(args, output) as server:
        began = server.client.now()
        # the windows of now: what becomes due meanwhile is no part of the backfill
        asked = [
            (spec, interval_of(args, spec.grid, began)) for spec in chosen_pipelines(server, args.pipeline)
        ]

        def look() -> list[CoverageResult]:
            return [server.drive(coverage(spec, interval, began)) for spec, interval in asked]

        found = _follow(look, refresh_seconds, output)
    code = code_of(all(one.is_complete for one in found))
    return output.finish(args.command, code, {"pipelines": [one.as_json() for one in found]})


def _follow(
    look: Callable[[], list[CoverageResult]], refresh_seconds: float, output: Output
) -> list[CoverageResult]:
    """Look until nothing is left to be done; a terminal is redrawn, a pipe gets a line for each look."""
    import time

    from rich.live import Live

    from airflow_provider_influx_rollup.steps.progress import ProgressMeter

    meter = ProgressMeter()
    is_redrawn = output.console.is_terminal and not output.as_json
    with Live(console=output.console, auto_refresh=False) if is_redrawn else nullcontext() as live:
        while True:
            found = look()
            progress = meter.look(time.monotonic(), *_counts(found))
            if live is None:
                output.show(progress.text())
            else:
                live.update(_drawn(found, progress, output), refresh=True)
            if not progress.needed:
                return found
            time.sleep(refresh_seconds)


def _drawn(found: list[CoverageResult], progress: Progress, output: Output) -> Group:
    from rich.console import Group

    from airflow_provider_influx_rollup.cli.bar import bar, legend
    from airflow_provider_influx_rollup.cli.output import plain

    rows: list[RenderableType] = []
    for one in found:
        rows += [plain(one.pipeline), bar([window.state for window in one.windows], output.console)]
    return Group(*rows, progress.text(), legend())


def _counts(found: list[CoverageResult]) -> tuple[int, int, int]:
    """Windows that are done, that are to be done, and that cannot be done any more."""
    from airflow_provider_influx_rollup.lifecycle.plan.coverage import WindowState

    return (
        sum(len(one.in_states(WindowState.COMMITTED)) for one in found),
        sum(len(one.needed) for one in found),
        sum(len(one.in_states(WindowState.FROZEN)) for one in found),
    )
