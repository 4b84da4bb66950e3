"""Look at the windows again and again while runs work on them, until all are committed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from contextlib import nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.cli.arguments import add_connection, add_interval, add_pipelines

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Group, RenderableType

    from airflow_provider_influx_rollup.cli.output import Output
    from airflow_provider_influx_rollup.lifecycle.plan.coverage import CoverageResult
    from airflow_provider_influx_rollup.lifecycle.plan.progress import Progress

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

    from airflow_provider_influx_rollup.lifecycle.plan.progress import ProgressMeter

    meter = ProgressMeter()
    is_redrawn = output.console.is_terminal and not output.as_json
    with Live(console=output.console, auto_refresh=False) if is_redrawn else nullcontext() as live:
        while True:
            found = look()
            progress = meter.look(time.monotonic(), found)
            if live is None:
                output.show(_line(progress))
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
    return Group(*rows, _line(progress), legend())


def _line(progress: Progress) -> str:
    told = [f"{progress.share:.0%}: {progress.committed:,} windows committed, {progress.needed:,} to do"]
    if progress.lost:
        told.append(f"{progress.lost:,} frozen")
    if progress.needed:
        left = progress.seconds_left
        told.append(f"{progress.per_minute:,.1f} a minute")
        told.append("time left unknown" if left is None else f"{_length(left)} left")
    return ", ".join(told)


def _length(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
