"""``--from``, ``--to`` and ``--last`` to an interval of a pipeline's grid."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from datetime import datetime

from airflow_provider_influx_rollup.exceptions import WindowError
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.instants import read_instant
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval
from airflow_provider_influx_rollup.windows.local_time import shift


def interval_of(args: Namespace, grid: GridSpec, now: datetime) -> Interval:
    """The whole windows that the options touch; those that have ended, when no end is given.

    :param args: with ``start``, ``stop`` and ``last``; dates are days of the grid's zone
    :param grid: of the pipeline
    :param now: the time now, aware UTC
    :raises WindowUndefined: when a time cannot be read
    :raises WindowError: when the start is not before the stop, or is named twice
    :raises InvalidDuration: when ``--last`` cannot be read
    """
    if args.start is not None and getattr(args, "is_last_given", False):
        what = "--from and --last both name the start"
        raise WindowError(what, fix="give one of them")
    cut = grid.grid()
    stop = cut.floor(now) if args.stop is None else cut.ceil(read_instant(args.stop, "--to", grid.timezone))
    if args.start is not None:
        start = cut.floor(read_instant(args.start, "--from", grid.timezone))
    else:
        start = cut.floor(shift(stop, Duration.of(args.last), grid.timezone, backwards=True))
    if start >= stop and args.start is not None:
        what = f"--from {args.start} is not before --to {args.stop or 'now'}"
        raise WindowError(what, fix="give an earlier --from or a later --to")
    # a window that is longer than --last
    return Interval(min(start, cut.floor(stop - MICROSECOND)), stop)


def require_times(args: Namespace, specs: Iterable[RollupSpec], now: datetime) -> None:
    """Refuse options that name no interval of any pipeline, once and before anything is read.

    :param args: as ``interval_of`` takes them
    :param specs: the pipelines that are asked about
    :raises WindowError: as ``interval_of``, when each of them would get it
    """
    wrong: list[WindowError] = []
    for spec in specs:
        try:
            interval_of(args, spec.grid, now)
        except WindowError as error:
            wrong.append(error)
        else:
            return
    if wrong:
        raise wrong[0]
