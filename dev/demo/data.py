"""Makes the demo's telemetry and loads it as devices would: in time, late, twice, corrected."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass

import pandas as pd

from dev import san_francisco
from dev.demo import setting
from dev.fleet import Fleet, FleetPlan, make_fleet
from dev.influx_http import InfluxAddress


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded.

    :param weather: the temperatures of San Francisco
    :param lines: how many lines were written, with the repeated ones
    """

    fleet: Fleet
    weather: pd.DataFrame
    lines: int


def load(influx: InfluxAddress, plan: FleetPlan, cancelled: threading.Event) -> Loaded:
    """Make and load both data sets into fresh buckets.

    :param cancelled: set it in another thread to make this one stop soon
    :raises CancelledError: when it was set
    """
    influx.fresh_buckets(*setting.BUCKETS)
    fleet = make_fleet(plan)
    weather = san_francisco.load_points()
    lines = _write(influx, setting.WEATHER, san_francisco.encode_lines(weather), cancelled)
    for wave in fleet.waves():
        lines += _write(influx, setting.RAW, wave, cancelled)
    return Loaded(fleet, weather, lines)


def _write(influx: InfluxAddress, bucket: str, lines: Sequence[str], cancelled: threading.Event) -> int:
    def until_cancelled() -> Iterator[str]:
        for line in lines:
            if cancelled.is_set():
                raise CancelledError
            yield line

    for _ in influx.write(bucket, until_cancelled()):
        pass
    return len(lines)
