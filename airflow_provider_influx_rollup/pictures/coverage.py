"""Pictures of coverage: a row for each pipeline, time to the right, a colour for each state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from io import StringIO
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.lifecycle.plan.cells import WORST_FIRST, cells_of
from airflow_provider_influx_rollup.lifecycle.plan.coverage import CoverageResult, WindowState
from airflow_provider_influx_rollup.pictures.files import require_pictures, write_picture
from airflow_provider_influx_rollup.windows.interval import format_instant

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, ROW_HEIGHT, FRAME_HEIGHT = 11.0, 0.42, 1.5
INK = "#1f2933"
#: cells of a row: more could not be told apart
MAX_CELLS = 900
# told apart by people who see no red or green, and by the pattern in print
LOOKS = {
    WindowState.COMMITTED: ("#2a9d6f", ""),
    WindowState.STALE_SPEC: ("#e9c46a", "///"),
    WindowState.WRITING: ("#f28e2b", "xxx"),
    WindowState.PLANNED: ("#9ecae1", ""),
    WindowState.MISSING: ("#c1121f", "\\\\\\"),
    WindowState.FROZEN: ("#7b5ea7", "..."),
    WindowState.NOT_DUE: ("#e5e8ec", ""),
}
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Coverage</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: {ink}; background: #fff; max-width: 75rem; margin: 2rem auto; padding: 0 1rem }}
svg {{ width: 100%; height: auto }}
table {{ border-collapse: collapse }}
th, td {{ text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #e5e8ec; vertical-align: top }}
</style>
</head>
<body>
<h1>Coverage</h1>
<figure role="img" aria-label="{label}">
{picture}
</figure>
{tables}
</body>
</html>
"""


def draw_coverage(results: Sequence[CoverageResult], path: str | Path, kind: str) -> Path:
    """Draw the windows of pipelines into a file.

    Windows that share a cell are drawn as the worst of them, as in the bars of the command line.

    :param results: one for each pipeline
    :param path: the file; its folder is made
    :param kind: ``png``, ``svg``, or ``html``: a page without external assets that lists the gaps too
    :return: the file
    :raises ConfigurationError: when matplotlib is missing or the file cannot be written
    """
    require_pictures()
    figure = _figure(results)
    if kind == "html":
        return write_picture(path, lambda file: file.write_text(_page(results, figure), encoding="utf-8"))
    return write_picture(path, lambda file: figure.savefig(file, format=kind, dpi=130))


def _figure(results: Sequence[CoverageResult]) -> Figure:
    from matplotlib.figure import Figure

    # without pyplot: no state that threads of a worker would share
    height = FRAME_HEIGHT + ROW_HEIGHT * max(1, len(results))
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    for row, result in enumerate(results):
        _draw_row(axes, row, result)
    _frame(axes, results)
    _legend(figure)
    return figure


def _draw_row(axes: Axes, row: int, result: CoverageResult) -> None:
    from matplotlib.dates import date2num

    instants = [found.window.start for found in result.windows] + [result.interval.stop]
    edges: list[float] = list(date2num(instants))  # type: ignore[no-untyped-call]
    cells = cells_of([found.state for found in result.windows], MAX_CELLS)
    for state, members in groupby(cells, key=lambda cell: cell.state):
        span = list(members)
        left, right = edges[span[0].first], edges[span[-1].last]
        color, hatch = LOOKS[state]
        axes.broken_barh(
            [(left, right - left)], (row - 0.36, 0.72), facecolor=color, hatch=hatch, edgecolor="white", lw=0
        )
    counts = result.counts()
    told = f"{counts['committed']:,} of {len(result.windows):,}"
    axes.annotate(told, (1.005, row), xycoords=("axes fraction", "data"), va="center", fontsize=8, color=INK)


def _frame(axes: Axes, results: Sequence[CoverageResult]) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    if results:
        axes.set_xlim(
            min(result.interval.start for result in results),  # type: ignore[arg-type]
            max(result.interval.stop for result in results),  # type: ignore[arg-type]
        )
    locator = AutoDateLocator(tz="UTC")  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz="UTC"))  # type: ignore[no-untyped-call]
    names = [result.pipeline for result in results]
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="both", labelsize=8.5, colors=INK, length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("Windows committed, times in UTC", loc="left", fontsize=10, color=INK)


def _legend(figure: Figure) -> None:
    from matplotlib.patches import Patch

    patches = [
        Patch(facecolor=LOOKS[state][0], hatch=LOOKS[state][1], edgecolor="white", label=_words(state))
        for state in reversed(WORST_FIRST)
    ]
    figure.legend(handles=patches, loc="outside lower left", ncols=len(patches), fontsize=8, frameon=False)


def _page(results: Sequence[CoverageResult], figure: Figure) -> str:
    drawn = StringIO()
    figure.savefig(drawn, format="svg")
    # what comes before is XML's own, which a page must not have inside
    picture = drawn.getvalue()[drawn.getvalue().index("<svg") :]
    tables = "\n".join(_table(result) for result in results)
    label = "; ".join(_summary(result) for result in results) or "no pipelines"
    return PAGE.format(ink=INK, label=escape(label), picture=picture, tables=tables)


def _table(result: CoverageResult) -> str:
    head = f"<h2>{escape(result.pipeline)}</h2>\n<p>{escape(_summary(result))}, {_span(result.interval.start, result.interval.stop)}</p>"
    gaps = result.gaps()
    if not gaps:
        return head
    rows = "\n".join(
        f"<tr><td>{_span(gap.interval.start, gap.interval.stop)}</td><td>{gap.windows:,}</td>"
        f"<td>{escape(_words(gap.state))}</td><td>{escape(gap.why)}</td></tr>"
        for gap in gaps
    )
    return (
        f"{head}\n<table>\n<thead><tr><th>gap</th><th>windows</th><th>state</th><th>why</th></tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>"
    )


def _summary(result: CoverageResult) -> str:
    counts = result.counts()
    others = [
        f"{count:,} {_words(state)}"
        for state in WindowState
        if (count := counts[state.value]) and state != "committed"
    ]
    return ", ".join(
        [f"{result.pipeline}: {counts['committed']:,} of {len(result.windows):,} windows committed", *others]
    )


def _span(start: datetime, stop: datetime) -> str:
    return f"{format_instant(start)} to {format_instant(stop)}"


def _words(state: WindowState) -> str:
    return state.value.replace("_", " ")
