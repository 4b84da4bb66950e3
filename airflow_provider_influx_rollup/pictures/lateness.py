"""A picture of a lateness report: which share of the points each setting catches, between two bounds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.lifecycle.lateness.result import (
    LatenessReport,
    LatenessRow,
    setting_text,
    share_text,
)
from airflow_provider_influx_rollup.pictures.files import require_pictures, write_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_PANELS = 6
PANEL_WIDTH, PANEL_HEIGHT = 10.0, 3.1
INK, FRAME, BAND, SURELY, PERHAPS = "#1f2933", "#8794a3", "#8fc1e3", "#12507b", "#5a9bc9"
PRESENT, NEEDED = "#5f6b7a", ("#d9822b", "#c23030")
TICKS = (
    (1, "1s"),
    (10, "10s"),
    (60, "1m"),
    (300, "5m"),
    (900, "15m"),
    (3600, "1h"),
    (4 * 3600, "4h"),
    (12 * 3600, "12h"),
    (86_400, "1d"),
    (3 * 86_400, "3d"),
    (10 * 86_400, "10d"),
    (30 * 86_400, "30d"),
    (100 * 86_400, "100d"),
)
LEVELS = ((1.0, "0 %"), (0.5, "50 %"), (0.1, "90 %"), (0.01, "99 %"), (1e-3, "99.9 %"), (1e-4, "99.99 %"))


def draw_lateness(report: LatenessReport, path: str | Path) -> Path:
    """Draw the rows with the most late points, six at most, into a PNG file.

    The share is drawn by what is missing, in powers of ten, because the last per cent is what matters.

    :param report: what was found
    :param path: the file; its folder is made
    :return: the file
    :raises ConfigurationError: when matplotlib is missing or the file cannot be written
    """
    require_pictures()
    from matplotlib.figure import Figure

    rows = report.rows[:MAX_PANELS]
    panels = max(1, len(rows))
    # without pyplot: no state that threads of a worker would share
    figure = Figure(figsize=(PANEL_WIDTH, 0.5 + PANEL_HEIGHT * panels), layout="constrained")
    axes = figure.subplots(panels, 1, squeeze=False)[:, 0]
    span = _span(rows)
    for ax, row in zip(axes, rows, strict=False):
        _draw_row(ax, row, span)
    if not rows:
        axes[0].set_axis_off()
        axes[0].text(0.5, 0.5, "no points", ha="center", color=INK)
    left_out = len(report.rows) - len(rows)
    more = f", {left_out} rows with fewer late points left out" if left_out else ""
    figure.suptitle(f"How late the points came, windows of {report.interval}{more}", color=INK, fontsize=10)
    return write_picture(path, lambda file: figure.savefig(file, format="png", dpi=110))


def _span(rows: Sequence[LatenessRow]) -> tuple[float, float]:
    """The same latenesses for all panels, so that they can be compared."""
    times = [seconds for row in rows for seconds in row.distribution.breakpoints() if seconds > 0] or [1.0]
    return min(times) / 3, max(times) * 3


def _draw_row(ax: Axes, row: LatenessRow, span: tuple[float, float]) -> None:
    found = row.distribution
    floor = 0.5 / found.points
    left, right = span
    grid = [left, *(seconds for seconds in found.breakpoints() if seconds > left), right]
    shares = [found.caught(seconds) for seconds in grid]
    surely = [max(1 - low, floor) for low, _ in shares]
    perhaps = [max(1 - high, floor) for _, high in shares]
    ax.fill_between(
        grid, surely, perhaps, step="post", color=BAND, alpha=0.45, lw=0, label="between the bounds"
    )
    ax.step(grid, surely, where="post", color=SURELY, lw=1.8, label="surely in time")
    ax.step(grid, perhaps, where="post", color=PERHAPS, lw=1.0, ls="--", label="perhaps in time")
    _draw_settings(ax, row, left)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(left, right)
    ax.set_ylim(1.3, floor)
    ax.set_xticks([at for at, _ in TICKS if left <= at <= right])
    ax.set_xticklabels([text for at, text in TICKS if left <= at <= right])
    levels = [(at, text) for at, text in LEVELS if at > floor]
    ax.set_yticks([at for at, _ in levels], [text for _, text in levels])
    ax.minorticks_off()
    ax.grid(color=FRAME, alpha=0.25, lw=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_ylabel("points in time", color=INK)
    ax.set_xlabel("lateness after the window's stop", color=INK)
    ax.set_title(_title(row), loc="left", fontsize=9, color=INK, parse_math=False)
    ax.legend(loc="lower right", fontsize=7.5, frameon=False)


def _title(row: LatenessRow) -> str:
    found = row.distribution
    counted = f"{found.late_points:,} of {found.points:,} points late ({row.late_share:.2%})"
    return f"{row.label}: {counted}\n" + "     ".join(setting_text(setting) for setting in row.settings)


def _draw_settings(ax: Axes, row: LatenessRow, left: float) -> None:
    """The present setting as a line, and where each share is reached."""
    present = row.present.timedelta.total_seconds()
    if present > left:
        ax.axvline(present, color=PRESENT, lw=1.2, ls=":", label=f"lateness={row.present} now")
    for setting, color in zip(row.settings, NEEDED, strict=True):
        level = float(1 - setting.share)
        span = [max(setting.needed.at_least, left), max(setting.needed.at_most, left)]
        ax.plot(
            span,
            [level, level],
            color=color,
            lw=2.5,
            marker="D",
            ms=5,
            markevery=[1],
            label=f"{share_text(setting.share)} needs",
        )
        if not setting.is_enough:
            ax.annotate(
                f" {setting.recommended}",
                (span[1], level),
                textcoords="offset points",
                xytext=(5, -3),
                color=color,
                fontsize=8,
            )
