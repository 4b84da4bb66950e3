"""Mutants of deadman checks, sensors, rollups by script, and exports."""

from __future__ import annotations

from tests.simulation.mutant import Mutant

DEADMAN, SENSOR, SCRIPT = "lifecycle/deadman/", "lifecycle/completeness/", "lifecycle/rollup_script/"
EXPORT = "lifecycle/export/"

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
        DEADMAN + "stale_statuses.py",
        "    for level, series in sorted(removals.deleted):\n",
        "    for level, series in sorted(removals.deleted)[:0]:\n",
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
        DEADMAN + "last_statuses.py",
        "key=lambda one: one.time, reverse=True",
        "key=lambda one: one.time",
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
    # rollups by script
    Mutant(
        "does not look whether the rows of a script are there",
        SCRIPT + "read_back.py",
        "        yield from _require_there(target_bucket, rows, measurement, window)\n",
        "        pass\n",
    ),
    Mutant(
        "commits the rows of a script and looks at no claim",
        SCRIPT + "rollup_script.py",
        "book, reads = yield from last_look(plan.reads, [window], book)",
        "reads = plan.reads",
    ),
    Mutant(
        "commits the rows of a script although another run has claimed the window",
        SCRIPT + "last_look.py",
        "    if overtaken(book, windows, claims):\n",
        "    if False:\n",
    ),
    Mutant(
        "runs a script and claims nothing",
        SCRIPT + "rollup_script.py",
        "    book = plan.book.claiming(began)\n",
        "    book = plan.book\n",
    ),
    Mutant(
        "runs a script before it says that the window is being written",
        SCRIPT + "rollup_script.py",
        "    yield from book.mark([window], State.WRITING, now())\n",
        "",
    ),
    Mutant(
        "forgets what others have committed while a script ran",
        SCRIPT + "last_look.py",
        "return book.seeing(windows, claims), ",
        "return book, ",
    ),
    Mutant(
        "runs a script up to a point too early",
        SCRIPT + "rollup_script.py",
        "extern = extern_file(v=window_values(window, ",
        "extern = extern_file(v=window_values(Interval(window.start, window.stop - window.duration / 100), ",
    ),
    Mutant(
        "counts the series of a script for its rows",
        SCRIPT + "rollup_script.py",
        "series=rows.series_count",
        "series=len(plan.windows)",
    ),
    # exports
    Mutant(
        "takes any points that the table has for those of the archive",
        EXPORT + "export.py",
        "if self.held.known(piece.interval) == wanted:",
        "if self.held.has(piece.interval):",
    ),
    Mutant(
        "exports points and leaves those of an earlier export",
        EXPORT + "export.py",
        "            replaces = self.held.has(piece.interval)\n",
        "            replaces = False\n",
    ),
    Mutant(
        "does not say that it has replaced points of the table",
        EXPORT + "export.py",
        '            "replaces": replaces,\n',
        '            "replaces": False,\n',
    ),
    Mutant(
        "takes the small windows for the large one although points were taken out of it",
        EXPORT + "export.py",
        "if sum_of(list(small.values())) == content and not is_cut:",
        "if not is_cut:",
    ),
    Mutant(
        "commits over what another export has brought in meanwhile",
        EXPORT + "export.py",
        "            yield from self.look()\n        what =",
        "            self.version += 1\n        what =",
    ),
)
