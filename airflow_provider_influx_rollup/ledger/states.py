"""The states of a window of a stage."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Progress of a window. Only COMMITTED counts downstream."""

    PLANNED = "PLANNED"
    """The window is known to be wanted; nothing was written."""
    WRITING = "WRITING"
    """A run is writing the window, or died while it did: the target may be torn."""
    COMMITTED = "COMMITTED"
    """The target was read back and agreed with the source."""
