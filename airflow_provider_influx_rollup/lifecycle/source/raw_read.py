"""Read raw points, in parts where one read needs more than the server gives to a query."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_influx_rollup.aggregates.frame import Frame
from airflow_provider_influx_rollup.exceptions import QueryLimitReached
from airflow_provider_influx_rollup.flux.source_read import RawPoints
from airflow_provider_influx_rollup.lifecycle.source.value_groups import PARTS, source_groups
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import split_interval

# a part of 1/1,024 that is still too large has too many series for any cut in time
MAX_HALVINGS = 10
# of a group of series: whoever has come to these has seen that time is not what there is too much of
HALVINGS_OF_A_GROUP = 2


def read_raw_points(query: RawPoints, *, halvings: int = MAX_HALVINGS) -> Steps[list[Frame]]:
    """Read points; when the query reaches a limit of memory or time, in halves of its interval, and then in groups of series.

    :param halvings: how often the interval may be halved
    :raises QueryLimitReached: when the smallest part reaches the limit too
    """
    try:
        return (yield from _read_in_time(query, halvings))
    except QueryLimitReached as error:
        groups = yield from _groups(query)
        if len(groups) < 2:
            if halvings == MAX_HALVINGS:
                raise
            return (yield from _read_in_time(query, MAX_HALVINGS))
        what = f"{query.interval} is read in {len(groups)} groups of series: {error.what}"
        yield from ask(Report(what, level="warning"))
    frames: list[Frame] = []
    for group in groups:
        frames += yield from read_raw_points(group, halvings=HALVINGS_OF_A_GROUP)
    return frames


def _read_in_time(query: RawPoints, halvings: int) -> Steps[list[Frame]]:
    try:
        return (yield from ask(query))
    except QueryLimitReached as error:
        halves = split_interval(query.interval, 2) if halvings else []
        if len(halves) < 2:
            raise
        yield from ask(Report(f"{query.interval} is read in two halves: {error.what}", level="warning"))
    frames: list[Frame] = []
    for half in halves:
        frames += yield from _read_in_time(replace(query, interval=half), halvings - 1)
    return frames


def _groups(query: RawPoints) -> Steps[list[RawPoints]]:
    """The query in several that have no series in common: by fields, then by values of tags; one when it cannot be cut."""
    fields = tuple(query.fields)
    if len(fields) > 1:
        size = -(-len(fields) // PARTS)
        cut = [fields[first : first + size] for first in range(0, len(fields), size)]
        return [replace(query, fields=some) for some in cut]
    return [replace(query, source=some) for some in (yield from source_groups(query.source, query.interval))]
