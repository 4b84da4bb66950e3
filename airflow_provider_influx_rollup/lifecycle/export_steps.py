"""Steps that read and write a lakehouse table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_influx_rollup.archive.fingerprint import NOTHING, Total
from airflow_provider_influx_rollup.windows.coverage import merge, subtract
from airflow_provider_influx_rollup.windows.interval import Interval

NO_TABLE = -1
#: of a commit's metadata
NOTE = "influx_rollup"


@dataclass(frozen=True, slots=True)
class TableAt:
    """A table, and what must be in it.

    :param uri: a folder or a URL, without secrets
    :param about: whose points it holds; the table says so itself
    """

    uri: str
    about: str


@dataclass(frozen=True, slots=True)
class ReadTable:
    """Read the history of a table; the result is a ``TableState``."""

    table: TableAt


@dataclass(frozen=True)
class TableState:
    """What a table's history says.

    :param version: of the table; -1 when there is none
    :param notes: what exports wrote to their commits, the oldest first
    """

    version: int
    notes: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class CommitPoints:
    """Bring points of files into a table in one commit; the result is the table's version, or None.

    None: another export has committed since the history was read; nothing was written.

    :param seen: version of the table whose history was read
    :param files: paths of Parquet files, each with the SHA-256 that it must have
    :param interval: only its points
    :param tags: tag keys of the files
    :param replaces: whether points of the interval that are in the table go in the same commit
    :param expected: what the points must be
    :param note: for the commit's metadata
    """

    table: TableAt
    seen: int
    files: tuple[tuple[str, str], ...]
    interval: Interval
    tags: tuple[str, ...]
    replaces: bool
    expected: Total
    note: Mapping[str, Any]


@dataclass(frozen=True)
class Holdings:
    """What a table holds, as far as its history says.

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
        """What the table holds after a commit.

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
    """What a table holds after all commits.

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
    """Of all together."""
    whole = NOTHING
    for one in totals:
        whole = whole.plus(one)
    return whole
