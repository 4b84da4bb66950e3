"""The definition of a complete window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.ledger.default_bucket import DEFAULT_LEDGER_BUCKET
from airflow_provider_influx_rollup.lifecycle.source.inventory import Inventory, WatchedSeries
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.lateness import due_at

Expected = int | str | tuple[Mapping[str, str], ...] | Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletenessSpec(WatchedSeries):
    """The definition of a complete window. Plain values, which travel as JSON.

    :param every: length of a window, a Flux duration; None takes the whole interval as one window
    :param lateness: how long after a window's stop its data may still come, a Flux duration
    :param expected: None: any point; a number: this many series; else as ``Inventory.of`` takes it; a series with more
        tags than an expected one satisfies it too
    :param cadence: how often each series has a point, a Flux duration
    :param min_completeness: which part of the points that ``cadence`` promises is enough, above 0, at most 1
    :param min_series: which part of the expected series is enough, above 0, at most 1
    :param watermark: how far past the stop points must have come by their own time, a Flux duration, of each expected
        series; None: that is not asked
    :param quiet_for: how long no point may have come, by the clock, a Flux duration; None: that is not asked
    :param accept_partial_after: how long after stop + lateness what is there is enough, a Flux duration; None: never
    :param pipeline: pipeline that rolls up a part, whose receipts say so
    :param upstream: pipeline whose rollup of the identical windows must be COMMITTED
    """

    every: str | None = None
    offset: str = "0s"
    timezone: str = "UTC"
    lateness: str = "0s"
    expected: Expected = None
    cadence: str | None = None
    min_completeness: float = 1.0
    min_series: float = 1.0
    watermark: str | None = None
    quiet_for: str | None = None
    accept_partial_after: str | None = None
    pipeline: str | None = None
    upstream: str | None = None
    ledger_bucket: str = DEFAULT_LEDGER_BUCKET

    def __post_init__(self) -> None:
        for name in ("min_completeness", "min_series"):
            share = getattr(self, name)
            if not 0 < share <= 1:
                what = f"{name}={share} is not a share of what is expected"
                raise ConfigurationError(what, fix="give a number above 0 and at most 1")
        if self.counted is not None and self.counted < 1:
            what = f"expected_series={self.expected} expects nothing"
            raise ConfigurationError(what, fix="give 1 or more, or None for any point")
        if self.expected is not None and self.counted is None:
            _ = self.inventory
        for name in ("watermark", "quiet_for", "accept_partial_after"):
            if getattr(self, name) is not None:
                _ = Duration.of(getattr(self, name), allow_zero=True).timedelta
        if self.accept_partial_after is not None and not self.pipeline:
            what = "accept_partial_after needs the pipeline that rolls the windows up, so that its receipts say what is lacking"
            raise ConfigurationError(what, fix="give pipeline, the name of that rollup")

    @property
    def counted(self) -> int | None:
        """Number of expected series, when only their number is given."""
        return (
            self.expected if isinstance(self.expected, int) and not isinstance(self.expected, bool) else None
        )

    @property
    def inventory(self) -> Inventory | None:
        """The expected series; None when any point, or a number of series, is enough.

        :raises ConfigurationError: when it is of no known shape
        """
        if self.expected is None or self.counted is not None:
            return None
        return self.inventory_of(self.expected)

    def windows(self, interval: Interval) -> list[Interval]:
        """The windows of an interval.

        :raises WindowMisaligned: when the grid does not tile it
        """
        if self.every is None:
            return [interval]
        return Grid.of(self.every, offset=self.offset, timezone=self.timezone).tile(interval)

    def due_at(self, interval: Interval) -> datetime:
        """The instant before which an interval cannot be complete.

        :raises InvalidDuration: when the lateness is no fixed duration
        """
        return due_at(interval, Duration.of(self.lateness, allow_zero=True))

    def partial_from(self, interval: Interval) -> datetime | None:
        """The instant from which what is there is enough; None when it never is."""
        if self.accept_partial_after is None:
            return None
        return self.due_at(interval) + Duration.of(self.accept_partial_after, allow_zero=True).timedelta
