"""Windows over time as one line of characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from airflow_provider_influx_rollup.lifecycle.plan.cells import cells_of
from airflow_provider_influx_rollup.lifecycle.plan.coverage import WindowState

if TYPE_CHECKING:
    from rich.console import Console

WIDEST = 120
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
    width = max(1, min(console.width - 2, WIDEST))
    line = Text("|", no_wrap=True)
    for cell in cells_of(states, width):
        line.append(*MARKS[cell.state])
    return line.append("|")


def legend() -> Text:
    """Legend of the characters."""
    line = Text()
    for state, (mark, style) in MARKS.items():
        line.append(mark, style)
        line.append(f" {state.replace('_', ' ')}  ")
    return line
