"""Windows over time in fewer cells than there are windows, for lines of text and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_influx_rollup.lifecycle.plan.coverage import WindowState

#: the state that a cell of several windows shows is the first of these that one of them has
WORST_FIRST = (
    WindowState.MISSING,
    WindowState.WRITING,
    WindowState.FROZEN,
    WindowState.STALE_SPEC,
    WindowState.PLANNED,
    WindowState.COMMITTED,
    WindowState.NOT_DUE,
)


@dataclass(frozen=True, slots=True)
class Cell:
    """Neighbouring windows that share a place.

    :param first: number of the first one
    :param last: number of the one after the last one
    :param state: the worst state of them
    """

    first: int
    last: int
    state: WindowState


def cells_of(states: Sequence[WindowState], most: int) -> list[Cell]:
    """A cell for each window, or for several when there are too many; the cells have all windows, each once.

    :param states: of all windows, in order
    :param most: how many cells there may be
    """
    count = max(1, min(len(states), most)) if states else 0
    cells = []
    for place in range(count):
        first, last = place * len(states) // count, (place + 1) * len(states) // count
        shared = set(states[first:last])
        cells.append(Cell(first, last, next(state for state in WORST_FIRST if state in shared)))
    return cells
