"""Read an inventory: the series that are expected of an interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_influx_rollup.flux.endless import refuse_endless
from airflow_provider_influx_rollup.flux.extern import extern_file, window_values
from airflow_provider_influx_rollup.flux.inventory import LastSeen, SeriesSource
from airflow_provider_influx_rollup.flux.series import Series, series_of
from airflow_provider_influx_rollup.lifecycle.source.inventory import Inventory, expected_from
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import ParseScript, Query
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import EPOCH, Interval


def read_expected(
    inventory: Inventory, source: SeriesSource, interval: Interval, group_by: Sequence[str] | None = None
) -> Steps[tuple[Series, ...]]:
    """The series that are expected of an interval, without the retired ones, each once, in order.

    Nothing of the interval itself decides: a series that stopped in it is expected, one that began in it is not.

    :param source: where series are seen, for an inventory that names none
    :param group_by: tag keys that tell seen series apart; None: all
    :raises InvalidName: when InfluxDB could not hold a tag that is named
    :raises QueryFailed: when the inventory's query fails
    """
    named = yield from read_named(inventory, interval)
    if named is not None:
        return named
    reach = Duration.of(inventory.lookback).timedelta
    if inventory.retire_after is not None:
        reach = min(reach, Duration.of(inventory.retire_after).timedelta)
    before = Interval(interval.start - reach, interval.start)
    seen = yield from ask(LastSeen(source, before, group_by))
    return inventory.without_retired(sorted(seen))


def read_named(inventory: Inventory, interval: Interval) -> Steps[tuple[Series, ...] | None]:
    """The series that a list or a query names, without the retired ones; None when what was seen is expected.

    :param interval: what ``v`` of the query is; ``now()`` is its stop
    """
    if inventory.listed is not None:
        return inventory.without_retired(expected_from(inventory.listed))
    if inventory.flux is None:
        return None
    values = window_values(interval, interval.duration)
    extern = extern_file(v=values, params=inventory.params or {})
    if interval.stop <= EPOCH:
        refuse_endless((yield from ask(ParseScript(inventory.flux))), inventory.params, interval)
    rows = yield from ask(Query(inventory.flux, extern=extern, now=interval.stop))
    return inventory.without_retired(sorted(named_by(rows)))


def named_by(rows: Iterable[Mapping[str, Any]]) -> tuple[Series, ...]:
    """The series that the rows of a query name, each once.

    :param rows: numbers and times, and columns that begin with ``_``, are no tags
    """
    tags = (
        {key: value for key, value in row.items() if isinstance(value, str) and not key.startswith("_")}
        for row in rows
    )
    found = dict.fromkeys(series_of(one) for one in tags)
    return expected_from(dict(series) for series in found if series)
