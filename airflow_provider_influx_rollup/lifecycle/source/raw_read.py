"""Read raw points, in parts where one read needs more than the server gives to a query."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.exceptions import QueryLimitReached
from airflow_provider_influx_rollup.flux.source_read import RawPoints
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import split_interval

# a part of 1/1,024 that is still too large has too many series for any cut in time
MAX_HALVINGS = 10


def read_raw_points(query: RawPoints, *, halvings: int = MAX_HALVINGS) -> Steps[list[Frame]]:
    """Read points; when the query reaches a limit of memory or time, its interval is read in halves.

    :param halvings: how often the interval may be halved
    :raises QueryLimitReached: when the smallest part reaches the limit too
    """
    try:
        return (yield from ask(query))
    except QueryLimitReached as error:
        halves = split_interval(query.interval, 2) if halvings else []
        if len(halves) < 2:
            raise
        yield from ask(Report(f"{query.interval} is read in two halves: {error.what}", level="warning"))
    frames: list[Frame] = []
    for half in halves:
        frames += yield from read_raw_points(replace(query, interval=half), halvings=halvings - 1)
    return frames
