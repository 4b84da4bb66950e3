"""States of windows as the windows page tells them: those of coverage, and what else is known of a window."""

from __future__ import annotations

from enum import StrEnum


class PageState(StrEnum):
    """State of a window; of several that are true, the first one here is shown."""

    FAILED = "failed"
    """Not done, and Airflow says that the run that wanted it has failed."""
    MISSING = "missing"
    """Due, and never run; or there is no target bucket, or the token may not read it."""
    DIRTY = "dirty"
    """Done, and found to differ from its source since."""
    WRITING = "writing"
    """A run is writing it, or died while it did."""
    INCOMPLETE = "incomplete"
    """Done, but its source lacked something when a sensor let it be rolled up."""
    FROZEN = "frozen"
    """Not done, and retention or a purge has taken its points."""
    STALE_SPEC = "stale_spec"
    """Done by another spec or grid."""
    PLANNED = "planned"
    """A run wanted it and has not begun it."""
    PURGED = "purged"
    """Done, and the points of its source were purged since."""
    ARCHIVED = "archived"
    """Done, and the points of its source are archived."""
    COMMITTED = "committed"
    """Done, by the spec in force."""
    NOT_DUE = "not_due"
    """Its stop + lateness has not passed."""


STATES = tuple(PageState)
CODES = {state: number for number, state in enumerate(STATES)}
#: a run has to do something, or a person has to look
WRONG = frozenset(
    {
        PageState.FAILED,
        PageState.MISSING,
        PageState.DIRTY,
        PageState.WRITING,
        PageState.INCOMPLETE,
        PageState.FROZEN,
        PageState.STALE_SPEC,
        PageState.PLANNED,
    }
)
