"""Partition mappers over the grids of rollups. The scheduler loads them, by the plugin beside them.

A key is the start of a window in UTC, as ``partitions=True`` makes it: one instant, also where clocks show a time twice.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.partition_mappers.base import PartitionMapper, RollupMapper
from airflow.partition_mappers.window import Window

from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.instants import read_instant
from airflow_provider_influx_rollup.windows.interval import format_instant
from airflow_provider_influx_rollup.windows.nesting import cells_below, require_nested

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_influx_rollup.windows.duration import DurationLike


def windows_in(
    window: DurationLike, fine: DurationLike, *, offset: DurationLike = "0s", timezone: str = "UTC"
) -> RollupMapper:
    """A mapper that waits for all finer windows of a window, such as the 23, 24 or 25 hours of a day.

    :param window: length of the consumer's windows, a Flux duration such as ``1d``
    :param fine: length of the producer's, such as ``1h``
    :param offset: how much later than midnight the consumer's days begin, a Flux duration
    :param timezone: IANA zone in which days, weeks, months and years begin
    :raises WindowMisaligned: when the windows are not made of whole finer ones
    """
    grid = GridMapper(window, offset=offset, timezone=timezone)
    return RollupMapper(
        upstream_mapper=grid, window=GridWindow(window, fine, offset=offset, timezone=timezone)
    )


class GridMapper(PartitionMapper):
    """From the key of an instant to that of the window which it lies in.

    :param every: length of the windows, a Flux duration
    :param offset: how much later than the anchor they start, a Flux duration
    :param timezone: IANA zone in which days, weeks, months and years begin
    :param max_downstream_keys: Airflow's
    :raises InvalidDuration: when a length cannot be read
    :raises InvalidTimezone: when the zone is unknown
    """

    expected_decoded_type: ClassVar[type] = datetime

    def __init__(
        self,
        every: DurationLike,
        *,
        offset: DurationLike = "0s",
        timezone: str = "UTC",
        max_downstream_keys: int | None = None,
    ) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        self._grid = Grid.of(every, offset, timezone)

    def to_downstream(self, key: str) -> str:
        """The key of the window that a key lies in.

        :param key: ISO 8601 with an offset from UTC
        :raises WindowUndefined: when it is no such time
        """
        return format_instant(self._grid.floor(self.decode_downstream(key)))

    def decode_downstream(self, downstream_key: str) -> datetime:
        """The instant that a key names."""
        return read_instant(downstream_key, "the partition key", self._grid.timezone)

    def encode_upstream(self, decoded: datetime) -> str:
        """The key of an instant."""
        return format_instant(decoded)

    def format(self, decoded: datetime) -> str:
        """The key of the window that an instant lies in, for mappers that fan out."""
        return format_instant(self._grid.floor(decoded))

    def to_partition_date(self, downstream_key: str) -> datetime:
        """Where the partition of a run starts."""
        return self.decode_downstream(downstream_key)

    def serialize(self) -> dict[str, Any]:
        """As Airflow stores it with the DAG."""
        return {**super().serialize(), **_texts(self._grid)}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> GridMapper:
        """Undo ``serialize``."""
        return cls(**data)


class GridWindow(Window):
    """The finer windows of a window.

    :param every: length of the window, a Flux duration
    :param fine: length of the finer ones
    :param offset: how much later than the anchor the windows start; finer ones shorter than a day start at the epoch
    :param timezone: IANA zone in which days, weeks, months and years begin
    :raises WindowMisaligned: when the windows are not made of whole finer ones
    """

    expected_decoded_type: ClassVar[type] = datetime

    def __init__(
        self,
        every: DurationLike,
        fine: DurationLike,
        *,
        offset: DurationLike = "0s",
        timezone: str = "UTC",
        fine_offset: DurationLike | None = None,
    ) -> None:
        super().__init__()
        self._grid = Grid.of(every, offset, timezone)
        shift = fine_offset
        if shift is None:
            # finer days begin when the days of the window do
            shift = offset if Grid.of(fine, "0s", timezone).is_calendar else "0s"
        self._fine = Grid.of(fine, shift, timezone)
        require_nested(self._fine, self._grid)

    def to_upstream(self, decoded_downstream: datetime) -> Iterable[datetime]:
        """The starts of the finer windows.

        :param decoded_downstream: any instant of the window
        """
        return [one.start for one in cells_below(self._fine, self._grid.window_at(decoded_downstream))]

    def serialize(self) -> dict[str, Any]:
        """As Airflow stores it with the DAG."""
        return {
            **_texts(self._grid),
            "fine": self._fine.every.to_flux(),
            "fine_offset": self._fine.offset.to_flux(),
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> GridWindow:
        """Undo ``serialize``."""
        return cls(**data)


def _texts(grid: Grid) -> dict[str, str]:
    return {"every": grid.every.to_flux(), "offset": grid.offset.to_flux(), "timezone": grid.timezone}
