"""Two pictures: one device raw and rolled up; which windows each tier has, and which devices were there."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Patch

from dev import san_francisco
from dev.demo import setting
from dev.demo.proof import TierProof
from dev.demo.timeline import Timeline
from dev.fleet import DROPOUTS_DEVICE, NEVER_STARTED_DEVICE, Fleet

INK, RAW_COLOR, BAND, LINE = "#1f2933", "#b8c4d0", "#8fc1e3", "#12507b"
STATES = {"COMMITTED": "#2f9e5b", "WRITING": "#e8a33d", "PLANNED": "#e8a33d", "missing": "#d64545"}
POINTS_PER_HOUR = 360
FEW_POINTS = 352  # below it all cells have the palest colour: single lost packets stay visible
MAX_WITH_GAPS = 100


def draw_all(folder: Path, fleet: Fleet, timeline: Timeline, proofs: list[TierProof]) -> list[Path]:
    """Draw both pictures.

    :return: their files
    """
    plt.rcParams.update(
        {"font.size": 9.0, "axes.edgecolor": "#8794a3", "text.color": INK, "svg.fonttype": "none"}
    )
    by_bucket = {proof.bucket: proof for proof in proofs}
    files = [folder / "hourly_and_raw.png", folder / "coverage.png"]
    _draw_device(files[0], fleet, by_bucket[setting.HOURLY].target)
    _draw_coverage(files[1], timeline, by_bucket)
    return files


def _draw_device(file: Path, fleet: Fleet, hourly: pd.DataFrame) -> None:
    """Raw points of a device with the hourly mean, lowest and highest of the target."""
    raw = fleet.points[fleet.points["device_id"] == DROPOUTS_DEVICE]
    rows = hourly[hourly["device_id"] == DROPOUTS_DEVICE]
    wide = rows.pivot_table(index="_time", columns="_field", values="_value", aggfunc="first")
    starts = pd.to_datetime(wide.index, unit="ns", utc=True)
    figure, axes = plt.subplots(figsize=(11, 4.6), layout="constrained")
    axes.plot(
        raw["_time"],
        raw["temperature"],
        ".",
        ms=1.1,
        color=RAW_COLOR,
        label="raw, every 10 s",
        rasterized=True,
    )
    for n, (start, row) in enumerate(zip(starts, wide.itertuples(index=False), strict=True)):
        stop = start + pd.Timedelta(hours=1)
        low, high = float(row.temperature_min), float(row.temperature_max)
        named = n == 0
        axes.fill_between(
            [start, stop],
            low,
            high,
            color=BAND,
            alpha=0.35,
            lw=0,
            label="hourly min to max" if named else None,
        )
        axes.hlines(
            float(row.temperature_mean),
            start,
            stop,
            color=LINE,
            lw=2.2,
            label="hourly mean" if named else "",
        )
    axes.set_title(
        f"{DROPOUTS_DEVICE}: {len(raw):,} raw points, {len(wide)} hourly windows; an hour without points has no row",
        loc="left",
    )
    axes.set_ylabel("temperature, °C")
    axes.margins(x=0)
    axes.set_ylim(bottom=raw["temperature"].min() - 2)
    _time_axis(axes)
    axes.grid(axis="y", color="#e6eaee", lw=0.8)
    axes.legend(frameon=False, ncols=3, loc="lower left", markerscale=8)
    figure.savefig(file, dpi=130)
    plt.close(figure)


def _draw_coverage(file: Path, timeline: Timeline, proofs: dict[str, TierProof]) -> None:
    """Points per device and hour, and below it the state of each window of each tier."""
    figure, (devices, fleet_tiers, weather) = plt.subplots(
        3, 1, figsize=(11, 9), height_ratios=[6.6, 1.1, 0.7], layout="constrained"
    )
    _draw_devices(devices, timeline, proofs[setting.HOURLY].target)
    for height, bucket in enumerate((setting.HOURLY, setting.TEN_MINUTES)):
        _draw_windows(fleet_tiers, proofs[bucket], height)
    fleet_tiers.set_yticks([0, 1], ["1 h", "10 min"])
    fleet_tiers.set_title(_counts(proofs[setting.TEN_MINUTES], proofs[setting.HOURLY]), loc="left")
    fleet_tiers.set_xlim(timeline.plan.start, timeline.plan.stop)
    fleet_tiers.legend(
        handles=[Patch(color=STATES[state], label=state.lower()) for state in ("COMMITTED", "WRITING", "missing")],
        frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1, 1),
    )  # fmt: skip
    _time_axis(fleet_tiers)
    _draw_windows(weather, proofs[setting.WEATHER_DAILY], 0)
    weather.set_yticks([0], ["1 local day"])
    weather.set_title(_counts(proofs[setting.WEATHER_DAILY]), loc="left")
    weather.set_xlim(
        proofs[setting.WEATHER_DAILY].planned[0][0], proofs[setting.WEATHER_DAILY].planned[-1][1]
    )
    weather.xaxis.set_major_locator(mdates.MonthLocator(tz=san_francisco.TIMEZONE))
    weather.xaxis.set_major_formatter(mdates.DateFormatter("%b %Y", tz=san_francisco.TIMEZONE))
    weather.tick_params(axis="x", labelsize=8)
    for axes in (fleet_tiers, weather):
        axes.margins(x=0)
        axes.tick_params(axis="y", length=0)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
    figure.savefig(file, dpi=130)
    plt.close(figure)


def _draw_devices(axes: Axes, timeline: Timeline, hourly: pd.DataFrame) -> None:
    counts = hourly[hourly["_field"] == "temperature_count"].copy()
    counts["_value"] = counts["_value"].astype(int)
    names = [*timeline.plan.device_ids, NEVER_STARTED_DEVICE]
    starts = [start.value for start, _ in timeline.windows()[setting.HOURLY]]
    grid = counts.pivot_table(index="device_id", columns="_time", values="_value", aggfunc="sum")
    grid = grid.reindex(index=names, columns=starts)
    colors = LinearSegmentedColormap.from_list("points", ["#d9e8f3", "#7fb2d6", "#2c74a8", "#12507b"])
    begin, end = (mdates.date2num(instant) for instant in (timeline.plan.start, timeline.plan.stop))
    image = axes.imshow(
        grid.to_numpy(dtype=float), aspect="auto", interpolation="nearest", cmap=colors, vmin=FEW_POINTS, vmax=POINTS_PER_HOUR,
        extent=(begin, end, len(names) - 0.5, -0.5),
    )  # fmt: skip
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.set_title("Points per device and hour, from the hourly tier (white: none)", loc="left")
    _time_axis(axes)
    axes.figure.colorbar(
        image, ax=axes, pad=0.01, fraction=0.02, ticks=[352, 354, 356, 358, 360], extend="min"
    )


def _draw_windows(axes: Axes, proof: TierProof, height: int) -> None:
    states = dict(
        zip((start.value for start in proof.receipts["start"]), proof.receipts["state"], strict=True)
    )
    by_color: dict[str, list[tuple[float, float]]] = {}
    for start, stop in proof.planned:
        color = STATES[states.get(start.value, "missing")]
        left, right = mdates.date2num(start), mdates.date2num(stop)
        gap = (right - left) * 0.12 if len(proof.planned) <= MAX_WITH_GAPS else 0.0
        by_color.setdefault(color, []).append((left + gap / 2, right - left - gap))
    for color, bars in by_color.items():
        axes.broken_barh(bars, (height - 0.36, 0.72), facecolors=color, linewidth=0, antialiased=False)


def _counts(*proofs: TierProof) -> str:
    parts = [f"{proof.bucket}: {proof.committed} of {len(proof.planned)}" for proof in proofs]
    return "Windows committed, " + ", ".join(parts)


def _time_axis(axes: Axes) -> None:
    locator = mdates.AutoDateLocator(minticks=5, maxticks=12, tz="UTC")
    axes.xaxis_date(tz="UTC")
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz="UTC", show_offset=False))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
