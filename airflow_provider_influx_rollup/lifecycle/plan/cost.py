"""Estimate the cost of rolling windows up from the history in the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from math import ceil
from statistics import fmean, median
from typing import Any

from airflow_provider_influx_rollup.flux.ledger_history import BlockEvent, BlockEvents
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import EPOCH, Interval

RECENT = timedelta(days=30)
MAX_EVENTS = 5_000
MAX_BLOCKS = 200
#: a stored value before compression: 8 bytes of time, 8 bytes of value
BYTES_PER_VALUE = 16


@dataclass(frozen=True, slots=True)
class WrittenBlock:
    """Windows that were written, verified and committed together.

    :param points: source points of all of them
    :param values: target values of all of them
    :param seconds: how long the block took
    """

    windows: int
    points: int
    values: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """Duration of windows: a time for each block, and a time for each point in it.

    :param windows_per_block: the usual size of a block
    :param blocks: how many blocks it was learnt from
    :param windows: how many windows they had
    :param is_own: False when only other pipelines have a history
    """

    seconds_per_block: float
    seconds_per_point: float
    windows_per_block: float
    blocks: int
    windows: int
    is_own: bool = True

    @classmethod
    def learn(cls, blocks: Sequence[WrittenBlock], *, is_own: bool = True) -> CostModel | None:
        """Fit a line through blocks; medians, so that a few runs that had to wait do not count.

        :param blocks: in any order
        :return: None when there are none
        """
        if not blocks:
            return None
        per_point = max(0.0, _median_slope(blocks))
        per_block = max(0.0, median(block.seconds - per_point * block.points for block in blocks))
        size = median(block.windows for block in blocks)
        return cls(
            seconds_per_block=per_block,
            seconds_per_point=per_point,
            windows_per_block=size,
            blocks=len(blocks),
            windows=sum(block.windows for block in blocks),
            is_own=is_own,
        )

    def seconds(self, windows: int, points: int) -> float:
        """Estimate the duration of windows with a number of points, one after the other.

        :param windows: how many, cut into blocks of the usual size
        :param points: of all of them together
        """
        return (
            ceil(windows / self.windows_per_block) * self.seconds_per_block + points * self.seconds_per_point
        )

    def as_json(self) -> dict[str, Any]:
        """Basis of the estimate."""
        return {
            "from": "pipeline" if self.is_own else "other pipelines",
            "blocks": self.blocks,
            "windows": self.windows,
            "seconds_per_window": self.seconds_per_block / self.windows_per_block,
            "seconds_per_point": self.seconds_per_point,
        }


def learn_cost(ledger_bucket: str, pipeline: str, stage: str, now: datetime) -> Steps[CostModel | None]:
    """Learn from the newest commits of a pipeline, or of all pipelines when it has none.

    :param ledger_bucket: must exist
    :param now: the time now, aware UTC
    :return: None when the ledger has no history
    """
    soon = now + timedelta(days=1)
    recent, ever = Interval(now - RECENT, soon), Interval(EPOCH, soon)
    for name, written in ((pipeline, recent), (pipeline, ever), (None, recent)):
        events = BlockEvents(
            ledger_bucket=ledger_bucket,
            stage=stage,
            written=written,
            pipeline=name,
            most_events=MAX_EVENTS,
        )
        blocks = blocks_of((yield from ask(events)))
        if blocks:
            return CostModel.learn(blocks, is_own=name is not None)
    return None


def blocks_of(events: Iterable[BlockEvent]) -> list[WrittenBlock]:
    """The newest blocks of a history, the newest first.

    Each window of a block carries the seconds of the whole block; runs do not take the same microseconds by chance.
    """
    members: dict[tuple[object, ...], list[BlockEvent]] = {}
    committed = [one for one in events if one.state is State.COMMITTED]
    for one in sorted(committed, key=lambda event: event.written_at, reverse=True):
        members.setdefault(one.who, []).append(one)
    return [_block(group) for group in list(members.values())[:MAX_BLOCKS]]


def _block(events: Sequence[BlockEvent]) -> WrittenBlock:
    points, values = sum(one.rows_in for one in events), sum(one.rows_out for one in events)
    return WrittenBlock(len(events), points, values, events[0].seconds)


def _median_slope(blocks: Sequence[WrittenBlock]) -> float:
    """Seconds per point: the median over all pairs of blocks, or of all that was spent when no two differ."""
    slopes = [
        (right.seconds - left.seconds) / (right.points - left.points)
        for left, right in combinations(blocks, 2)
        if _differ(left, right)
    ]
    if slopes:
        return median(slopes)
    points = fmean(block.points for block in blocks)
    return fmean(block.seconds for block in blocks) / points if points else 0.0


def _differ(left: WrittenBlock, right: WrittenBlock) -> bool:
    """Whether two blocks are far enough apart in points for a slope that is more than noise."""
    return abs(left.points - right.points) > 0.2 * max(left.points, right.points)
