"""Reasons why windows are dirty."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from airflow_provider_influx_rollup.lifecycle.run.reasons import RECONCILE


class Reason(StrEnum):
    """The cause of a difference between source and target of a window."""

    NEW_POINTS = "new points"
    """The source has more points of a series than the row stands for."""
    FEWER_POINTS = "fewer points"
    """The source has fewer points of a series than the row stands for."""
    OVERWRITTEN = "overwritten"
    """As many points as before, with other values."""
    NEW_SERIES = "new series"
    """A series that the target has no row of, in the windows around."""
    VANISHED_SERIES = "vanished series"
    """A series that the source no longer has, in the windows around."""
    MISSING_ROW = "missing row"
    """The row was written and is gone."""
    GHOST_ROW = "ghost row"
    """A value that no run of the pipeline wrote."""
    ALTERED_ROW = "altered row"
    """The row is not the one that was committed, and the source has not changed."""
    NEVER_COMMITTED = "never committed"
    """No receipt, or one that is not COMMITTED."""
    SPEC_CHANGED = "spec changed"
    """COMMITTED under an earlier spec."""
    OLD_RECEIPT = "old receipt"
    """The rows are right, and the receipt has other numbers."""
    TIER_BELOW = "tier below dirty"
    """Only in a plan: a window of the tier below would be repaired."""


def reason_text(reasons: Iterable[Reason]) -> str:
    """The reason of a write, as a receipt keeps it."""
    return f"{RECONCILE}: {', '.join(reasons)}"
