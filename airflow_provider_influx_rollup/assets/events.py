"""What an event of an asset says: which windows, and what is in them now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.data_interval import STRETCHES, WINDOWS, asset_intervals
from airflow_provider_influx_rollup.hashing import combine_checksums
from airflow_provider_influx_rollup.windows.all_time import EVER
from airflow_provider_influx_rollup.windows.coverage import merge
from airflow_provider_influx_rollup.windows.instants import read_instant
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.announce.announce import Changed

#: more stretches of windows than this are told as one: an event lies in Airflow's database
MAX_STRETCHES = 100


def event_extra(changed: Changed, **more: str) -> dict[str, Any]:
    """What the event of a pipeline's windows says. Of several windows it has totals; Airflow 2.11 takes plain values only.

    :param changed: the windows
    :param more: where they are
    """
    windows = changed.windows
    stretches = merge(one.window for one in windows)
    whole = Interval.spanning(stretches)
    series = [one.series for one in windows if one.series is not None]
    extra: dict[str, Any] = {
        # a run that an event of all time has started has no interval
        **({} if whole == EVER else whole.as_json()),
        WINDOWS: len(windows),
        "rows": sum(one.rows_out for one in windows),
        **({"series": max(series)} if series else {}),
        "checksum": combine_checksums(one.checksum for one in windows),
        "generation": max(one.generation for one in windows),
        "pipeline": changed.pipeline,
        "stage": changed.stage,
        **more,
    }
    if 1 < len(stretches) <= MAX_STRETCHES:
        extra[STRETCHES] = json.dumps(
            [[format_instant(at) for at in (one.start, one.stop)] for one in stretches]
        )
    return extra


def partition_keys(windows: Iterable[Interval]) -> list[str]:
    """One key for each window: its start in UTC, which is one instant also where clocks show it twice."""
    return [format_instant(window.start) for window in windows]


def windows_of_events(context: Mapping[str, Any]) -> list[dict[str, str]]:
    """What the asset events that triggered a run are about, each stretch of time once: for ``expand_kwargs``.

    :param context: Airflow's context
    :return: ``start`` and ``stop`` of each stretch, in order; nothing when no event names one
    """
    stretches = merge(
        Interval(read_instant(start, "start"), read_instant(stop, "stop"))
        for start, stop in asset_intervals(context)
    )
    return [one.as_json() for one in stretches]
