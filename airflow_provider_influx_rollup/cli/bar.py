"""Windows over time as one line of characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from airflow_provider_influx_rollup.lifecycle.plan.coverage import WindowState

if TYPE_CHECKING:
    from rich.console import Console

WIDEST = 120
# the worst state of the windows that share a character is shown: the first of these
WORST_FIRST = (
    WindowState.MISSING,
    WindowState.WRITING,
    WindowState.FROZEN,
    WindowState.STALE_SPEC,
    WindowState.PLANNED,
    WindowState.COMMITTED,
    WindowState.NOT_DUE,
)
# readable without colour, and in any encoding
MARKS = {
    WindowState.COMMITTED: ("#", "green"),
    WindowState.STALE_SPEC: ("~", "yellow"),
    WindowState.WRITING: ("!", "bold red"),
    WindowState.PLANNED: ("p", "yellow"),
    WindowState.MISSING: ("_", "red"),
    WindowState.FROZEN: ("x", "magenta"),
    WindowState.NOT_DUE: (".", "dim"),
}


def bar(states: Sequence[WindowState], console: Console) -> Text:
    """One character for each window, or for several when they do not fit.

    :param states: of all windows, in order
    :param console: whose width is to be kept
    """
    width = max(1, min(len(states), console.width - 2, WIDEST))
    line = Text("|", no_wrap=True)
    for place in range(width):
        first, last = place * len(states) // width, (place + 1) * len(states) // width
        shared = set(states[first:last])
        line.append(*MARKS[next(state for state in WORST_FIRST if state in shared)])
    return line.append("|")


def legend() -> Text:
    """Legend of the characters."""
    line = Text()
    for state, (mark, style) in MARKS.items():
        line.append(mark, style)
        line.append(f" {state.replace('_', ' ')}  ")
    return line
