"""Result of a lateness report, as small JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from airflow_provider_influx_rollup.lifecycle.lateness.distribution import (
    Distribution,
    Setting,
    settings_of,
)
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval

MAX_ROWS = 50
SHARES = (Fraction(99, 100), Fraction(999, 1000))
LATE_SHARES = (Fraction(1, 2), Fraction(9, 10), Fraction(1))
LADDER = ("1m", "5m", "15m", "30m", "1h", "3h", "6h", "12h", "1d", "3d", "7d", "30d")

Group = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LatenessRow:
    """Lateness of the points of one pipeline, or of one tag group of it.

    :param group: the tags that its points share, ``()`` for all points; None for late points whose series is unknown
    :param windows: windows that were watched
    :param present: the pipeline's setting ``lateness``
    :param distribution: all its points; at least one
    """

    pipeline: str
    measurement: str
    group: Group | None
    windows: int
    present: Duration
    distribution: Distribution

    @property
    def label(self) -> str:
        """For people: the pipeline, and the group's tags."""
        if self.group is None:
            return f"{self.pipeline} (series unknown)"
        tags = ", ".join(f"{key}={value}" for key, value in self.group)
        return f"{self.pipeline} {tags}".rstrip()

    @property
    def late_share(self) -> float:
        """Late points per point."""
        return self.distribution.late_points / self.distribution.points

    @property
    def settings(self) -> list[Setting]:
        """The setting that would catch 99 % and 99.9 % of the points."""
        return settings_of(self.distribution, self.present, SHARES)

    def as_json(self) -> dict[str, Any]:
        """Plain values; durations as Flux writes them."""
        return {
            "pipeline": self.pipeline,
            "measurement": self.measurement,
            "tags": None if self.group is None else dict(self.group),
            "windows": self.windows,
            "points": self.distribution.points,
            "late_points": self.distribution.late_points,
            "late_share": self.late_share,
            "lateness": self.present.to_flux(),
            "late": self._late_quantiles(),
            "caught": self._caught(),
            "settings": {share_text(setting.share): setting.as_json() for setting in self.settings},
        }

    def _late_quantiles(self) -> dict[str, dict[str, str]]:
        late = self.distribution.late
        if not late.samples:
            return {}
        return {share_text(share): late.quantile(share).as_json() for share in LATE_SHARES}

    def _caught(self) -> list[dict[str, Any]]:
        """The share that each of some usual settings catches, up to the first that surely catches all."""
        steps: list[dict[str, Any]] = []
        for text in LADDER:
            surely, perhaps = self.distribution.caught(Duration.parse(text).timedelta.total_seconds())
            steps.append({"lateness": text, "surely": surely, "perhaps": perhaps})
            if surely >= 1:
                break
        return steps


@dataclass(frozen=True, slots=True)
class LatenessReport:
    """The rows of a report, most late points first.

    :param interval: the windows that start in it are looked at
    :param unwatched_windows: windows that were first committed too long after their stop to say anything
    :param notes: what people should know
    """

    interval: Interval
    rows: Sequence[LatenessRow]
    unwatched_windows: int
    notes: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """Small JSON: at most 50 rows."""
        return {
            "interval": self.interval.as_json(),
            "rows": [row.as_json() for row in self.rows[:MAX_ROWS]],
            "rows_left_out": max(0, len(self.rows) - MAX_ROWS),
            "unwatched_windows": self.unwatched_windows,
            "notes": list(self.notes),
        }

    def as_lines(self) -> list[str]:
        """For people: what was found and what to set, one line for each row and share."""
        lines = []
        for row in self.rows:
            found = row.distribution
            lines.append(
                f"{row.label}: {found.late_points:,} of {found.points:,} points ({row.late_share:.3%}) came after "
                f"the first commit of their window (lateness={row.present})"
            )
            lines += [f"  {setting_text(setting)}" for setting in row.settings]
        return lines


def setting_text(setting: Setting) -> str:
    """One sentence of what a share of the points asks of the setting."""
    least, most = setting.needed.as_json().values()
    what = "keep" if setting.is_enough else "set"
    return f"{share_text(setting.share)}: between {least} and {most}; {what} lateness={setting.recommended}"


def share_text(share: Fraction) -> str:
    """``99%`` or ``99.9%``."""
    return f"{float(share * 100):g}%"
