"""Mutants of deadman checks and of sensors."""

from __future__ import annotations

from tests.simulation.mutants import Mutant

DEADMAN, SENSOR = "lifecycle/deadman/", "lifecycle/completeness/"

VERB_MUTANTS = (
    # deadman checks
    Mutant(
        "takes a series for alive that was seen before the silence",
        DEADMAN + "series_state.py",
        "return SeriesVerdict(series, SeriesState.STOPPED, seen.earlier[series])",
        "return SeriesVerdict(series, SeriesState.ALIVE, seen.earlier[series])",
    ),
    Mutant(
        "writes that a series is alive which never started",
        DEADMAN + "statuses.py",
        "level = spec.level if verdict.state in DEAD else spec.ok_level",
        "level = spec.level if verdict.state is SeriesState.STOPPED else spec.ok_level",
    ),
    Mutant(
        "looks for points of the silence up to a point too early",
        DEADMAN + "spec.py",
        "return Spans(Interval(dead_from, interval.stop)",
        "return Spans(Interval(dead_from, interval.stop - interval.duration / 100)",
    ),
    Mutant(
        "leaves the statuses of an earlier run that say otherwise",
        DEADMAN + "statuses.py",
        "    for level in sorted(stale_levels):\n",
        "    for level in sorted(stale_levels)[:0]:\n",
    ),
    Mutant(
        "removes statuses of a level, and those that it has just written",
        DEADMAN + "statuses.py",
        "    if again:\n",
        "    if False:\n",
    ),
    Mutant(
        "retires a series that is just dead",
        DEADMAN + "series_state.py",
        "verdict.last_seen < retired_before:",
        "verdict.last_seen <= retired_before:",
    ),
    Mutant(
        "takes the newest level for the one before",
        DEADMAN + "statuses.py",
        "latest[status.series].time < status.time",
        "latest[status.series].time > status.time",
    ),
    # sensors
    Mutant(
        "is ready before the upstream pipeline has COMMITTED",
        SENSOR + "completeness.py",
        "for receipt in receipts if receipt.is_committed}",
        "for receipt in receipts}",
    ),
    Mutant(
        "is ready when one of the windows is",
        SENSOR + "completeness.py",
        "        return not self.incomplete and not self.waiting\n",
        "        return len(self.incomplete) < len(self.gaps) and not self.waiting\n",
    ),
    Mutant(
        "is ready although a listed series lacks",
        SENSOR + "gaps.py",
        "lacking = len(self.missing) + self.lacking + len(self.sparse)",
        "lacking = self.lacking + len(self.sparse)",
    ),
    Mutant(
        "is ready although a number of series lacks",
        SENSOR + "gaps.py",
        "lacking = max(expected - len(counted.points), 0) if",
        "lacking = 0 if",
    ),
    Mutant(
        "counts the points of a window that only begins like it",
        SENSOR + "gaps.py",
        "points[start][series] = max(count, points[start].get(series, 0))",
        "points[start][series] = max(count, *(some.get(series, 0) for some in points.values()))",
    ),
    Mutant(
        "takes a source for quiet that has gained points",
        SENSOR + "quiet_source.py",
        "last.fingerprint == fingerprint and ",
        "",
    ),
    Mutant(
        "takes a source for quiet by the number of its series",
        SENSOR + "quiet_source.py",
        "(count.window, count.rows, sorted(count.points.items()))",
        "(count.window, sorted(count.points))",
    ),
    Mutant(
        "leaves the marks of windows that are complete",
        SENSOR + "incomplete_windows.py",
        "    lines += _unmarked(receipt for receipt in known.values() if _is_about(receipt, interval))\n",
        "",
    ),
    Mutant(
        "writes a whole receipt to mark a window",
        SENSOR + "incomplete_windows.py",
        "lines += encode_incomplete([replace(receipt,",
        "lines += encode_receipts([replace(receipt,",
    ),
)
