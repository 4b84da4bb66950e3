"""The spec of a deadman check, and what it reads for an interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.run.default_names import (
    MAX_CHECK_BYTES,
    is_short_name,
    short_filter_text,
)
from airflow_provider_influx_rollup.lifecycle.source.inventory import Inventory, WatchedSeries
from airflow_provider_influx_rollup.lifecycle.statuses.check_status import LEVELS, Check
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval

RETIRED_LEVEL = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadmanSpec(WatchedSeries):
    """The spec of a deadman check. Plain values, which travel as JSON.

    :param group_by: tag keys that tell series apart; None takes those of ``expected``, else all
    :param silence: how long without a point is death, a Flux duration; None takes the interval's length
    :param expected: which series are expected, see ``Inventory.of``; None: what was seen within the lookback
    :param check_name: None makes one from what is watched
    :param dry_run: write no status
    """

    group_by: tuple[str, ...] | None = None
    silence: str | None = None
    expected: tuple[Mapping[str, str], ...] | Mapping[str, Any] | None = None
    status_bucket: str = "_monitoring"
    level: str = "crit"
    ok_level: str = "ok"
    check_name: str | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        for name in ("level", "ok_level"):
            if getattr(self, name) not in LEVELS:
                what = f"{name}={getattr(self, name)!r} is not a level of InfluxDB's checks"
                raise ConfigurationError(what, fix=f"use one of {', '.join(LEVELS)}")
        if self.level in (self.ok_level, RETIRED_LEVEL):
            what = f"level={self.level!r} does not tell dead series from others"
            raise ConfigurationError(what, fix="use crit or warn")
        if self.retired:
            _ = self.inventory

    @property
    def inventory(self) -> Inventory:
        """The series that are expected.

        :raises ConfigurationError: when it is of no known shape
        """
        return self.inventory_of(self.expected)

    @property
    def check(self) -> Check:
        """The check as its statuses name it; another filter or grouping is another check."""
        if self.check_name:
            return Check(self.check_name, self.measurement)
        name = f"deadman {self.bucket}/{self.measurement}"
        if self.group_by is not None:
            name += f" by {','.join(self.group_by)}"
        if self.fields is not None:
            name += f" fields {','.join(self.fields)}"
        given = "".join(f" {key}={'|'.join(values)}" for key, values in sorted((self.tags or {}).items()))
        if not is_short_name(name + given, MAX_CHECK_BYTES):
            given = f" {short_filter_text(self.tags or {})}"
        return Check(name + given, self.measurement)


@dataclass(frozen=True, slots=True)
class Spans:
    """The spans that a check reads: nothing outside ``[start - lookback, stop)``.

    :param recent: the silence before the stop
    :param earlier: the inventory before it
    :param silence: how long without a point is death
    :param retired_before: a series last seen before this is retired; None when nothing says so
    """

    recent: Interval
    earlier: Interval
    silence: Duration
    retired_before: datetime | None


def spans_of(spec: DeadmanSpec, interval: Interval) -> Spans:
    """Decide what to read for an interval.

    :raises ConfigurationError: when the lookback ends before the silence begins, or a series would be retired
        before it is dead
    :raises InvalidDuration: when a duration is none
    """
    inventory = spec.inventory
    silence = Duration.of(spec.silence or interval.duration)
    lookback = Duration.of(inventory.lookback).timedelta
    dead_from = interval.stop - silence.timedelta
    retired_before = None
    if inventory.retire_after and inventory.is_seen:
        retire_after = Duration.of(inventory.retire_after).timedelta
        if retire_after <= silence.timedelta:
            what = f"retire_after={inventory.retire_after} is not longer than the silence {silence}"
            raise ConfigurationError(what, window=interval, fix="give a longer retire_after")
        retired_before = interval.stop - retire_after
        lookback = max(lookback, retire_after)
    reach = interval.start - lookback
    if dead_from <= reach:
        what = f"the silence {silence} is longer than the interval and inventory_lookback together"
        raise ConfigurationError(what, window=interval, fix="give a longer inventory_lookback")
    return Spans(Interval(dead_from, interval.stop), Interval(reach, dead_from), silence, retired_before)
