"""Read the values of a target, in parts where one read needs more than the server gives to a query."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_influx_rollup.aggregates.frame import Frame, frames_by_field
from airflow_provider_influx_rollup.exceptions import QueryLimitReached
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.flux.target_read import TargetValues
from airflow_provider_influx_rollup.lifecycle.source.value_groups import in_groups
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import split_interval

MAX_HALVINGS = 10


def read_values(query: TargetValues, *, halvings: int = MAX_HALVINGS) -> Steps[list[Frame]]:
    """Read values; when the query reaches a limit of memory or time, of groups of series, and then in halves of its interval.

    :param halvings: how often the interval may be halved
    :return: at most one frame of a field when several queries were needed
    :raises QueryLimitReached: when the smallest part reaches the limit too
    """
    place = RollupSource(query.bucket, query.measurement, query.tags)
    try:
        parts = yield from in_groups(place, query.interval, lambda some: ask(replace(query, tags=some.tags)))
    except QueryLimitReached as error:
        halves = split_interval(query.interval, 2) if halvings else []
        if len(halves) < 2:
            raise
        yield from ask(Report(f"{query.interval} is read in two halves: {error.what}", level="warning"))
        parts = []
        for half in halves:
            parts.append((yield from read_values(replace(query, interval=half), halvings=halvings - 1)))
    if len(parts) == 1:
        return parts[0]
    return list(frames_by_field(frame for part in parts for frame in part).values())
