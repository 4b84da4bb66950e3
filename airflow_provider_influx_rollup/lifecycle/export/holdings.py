"""Windows that a table holds, by the notes of earlier exports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_influx_rollup.archive.fingerprint import NOTHING, Total
from airflow_provider_influx_rollup.windows.coverage import merge, subtract
from airflow_provider_influx_rollup.windows.interval import Interval


@dataclass(frozen=True)
class Holdings:
    """Windows that a table holds, by its history.

    :param totals: the points of a window, where they are known
    :param vague: where points may be that no total counts; these intervals neither overlap nor touch
    """

    totals: Mapping[Interval, Total] = field(default_factory=dict)
    vague: tuple[Interval, ...] = ()

    def has(self, interval: Interval) -> bool:
        """Whether the table may have points of an interval."""
        return any(one.overlaps(interval) for one in (*self.totals, *self.vague))

    def known(self, interval: Interval) -> Total | None:
        """The points of an interval; None when the history does not tell."""
        inside = [window for window in self.totals if window.overlaps(interval)]
        is_known = all(interval.covers(window) for window in inside)
        if not is_known or any(one.overlaps(interval) for one in self.vague):
            return None
        return sum_of([self.totals[window] for window in inside])

    def after(self, interval: Interval, parts: Mapping[Interval, Total], *, replaces: bool) -> Holdings:
        """Windows of the table after a commit.

        :param interval: of which points came
        :param parts: what came, by window
        :param replaces: whether its earlier points went
        """
        overlapped = [window for window in self.totals if window.overlaps(interval)]
        # the rest of a window is still in the table, and its total is that of all of it
        vague = [*self.vague, *overlapped]
        left = {window: total for window, total in self.totals.items() if window not in overlapped}
        if replaces or not self.has(interval):
            return Holdings({**left, **parts}, tuple(subtract(vague, [interval])))
        return Holdings(left, tuple(merge([*vague, interval])))


def holdings(notes: tuple[Mapping[str, Any], ...]) -> Holdings:
    """Windows of a table after all commits.

    :param notes: the oldest first
    """
    held = Holdings()
    for note in notes:
        parts = {
            Interval.from_json(part): Total(int(part["rows"]), str(part["hash"])) for part in note["parts"]
        }
        # an append over points that are there would be twice in the table: nothing is known of it
        is_replaced = bool(note.get("replaces", False))
        held = held.after(Interval.from_json(note["interval"]), parts, replaces=is_replaced)
    return held


def sum_of(totals: list[Total]) -> Total:
    """Sum of some totals."""
    whole = NOTHING
    for one in totals:
        whole = whole.plus(one)
    return whole
