"""Result of a reconcile: small JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.explain import Change
from airflow_provider_influx_rollup.lifecycle.reconcile.repair import Repaired
from airflow_provider_influx_rollup.shown import counted
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval

# a result travels through Airflow's database
MAX_LISTED = 100
MAX_DIRTY_WINDOWS = 500


@dataclass(frozen=True, slots=True)
class SkippedWindow:
    """A window that was left as it is, and why."""

    window: Interval
    why: str

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"window": self.window.as_json(), "why": self.why}


@dataclass(slots=True, kw_only=True)
class ReconcileResult:
    """Results of one pipeline's windows.

    :param interval: what was looked at; None when no window was due
    :param windows: how many windows were compared, or found uncommitted
    :param dirty: the windows that were wrong, in order
    :param frozen: dirty, but retention has taken points that the rollup stands for
    :param waiting: a window of the tier below is not COMMITTED
    :param failed: dirty, and could not be repaired, with the error
    :param remaining: dirty, and left for the next run because of ``max_windows``
    :param incomplete: a sensor let them be rolled up, and their source still lacks something; their rows are right
    :param finished: their source was incomplete, and lacks nothing any more
    :param purged: COMMITTED, and left as they are, because points of their source were purged since
    :param cascaded: the same of each higher tier that was looked at, the lowest first
    """

    spec: RollupSpec
    mode: str
    interval: Interval | None
    windows: int = 0
    dirty: list[Change] = field(default_factory=list)
    repaired: Repaired = field(default_factory=Repaired)
    frozen: list[SkippedWindow] = field(default_factory=list)
    waiting: list[SkippedWindow] = field(default_factory=list)
    failed: dict[Interval, InfluxRollupError] = field(default_factory=dict)
    remaining: int = 0
    incomplete: list[SkippedWindow] = field(default_factory=list)
    finished: list[Interval] = field(default_factory=list)
    purged: list[SkippedWindow] = field(default_factory=list)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    cascaded: list[ReconcileResult] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether all windows are right now, here and in the higher tiers."""
        is_waiting = self.waiting or not all(tier.is_clean for tier in self.cascaded)
        return self.is_settled and not is_waiting

    @property
    def is_settled(self) -> bool:
        """Whether all windows are right now but those that wait for the tier below, here and in the higher tiers."""
        is_repaired = len(self.repaired.windows) == len(self.dirty)
        left = self.frozen or self.failed or self.remaining
        return is_repaired and not left and all(tier.is_settled for tier in self.cascaded)

    def text(self) -> str:
        """How many windows were compared, and how many of them were not all right, without the higher tiers."""
        done = self.repaired
        counts = (
            (len(self.dirty), "dirty"),
            (len(done.windows), "repaired"),
            (len(self.frozen), "frozen"),
            (len(self.waiting), "waiting for the tier below"),
            (len(self.failed), "failed"),
            (len(done.unsettled), "still changing"),
            (self.remaining, "left for the next run"),
        )
        found = "".join(f", {count} {what}" for count, what in counts if count)
        return f"{counted(self.windows, 'window')} compared{found or ', all right'}"

    def as_json(self) -> dict[str, Any]:
        """The return value of the stage."""
        own = self.without_tiers()
        intervals = dirty_intervals(self.spec, [change.window for change in self.dirty[:MAX_DIRTY_WINDOWS]])
        own["dirty_windows"] = [interval.as_json() for interval in intervals]
        own["cascaded"] = [tier.without_tiers() for tier in self.cascaded]
        return own

    def without_tiers(self) -> dict[str, Any]:
        """The part of the result that concerns this pipeline alone."""
        done = self.repaired
        return {
            "pipeline": self.spec.pipeline_name,
            "source_bucket": self.spec.source_bucket,
            "measurement": self.spec.measurement,
            "target_bucket": self.spec.target_bucket,
            "target_measurement": self.spec.output_measurement,
            "mode": self.mode,
            "window": None if self.interval is None else self.interval.as_json(),
            "windows": self.windows,
            "dirty_total": len(self.dirty),
            "dirty": [_change_json(change) for change in self.dirty[:MAX_LISTED]],
            "repaired": {
                "windows": len(done.windows),
                "rows": done.rows,
                "values": done.values,
                "deleted": done.deleted,
            },
            "unsettled": [window.as_json() for window in done.unsettled[:MAX_LISTED]],
            "frozen_total": len(self.frozen),
            "frozen": _listed(self.frozen),
            "waiting_total": len(self.waiting),
            "waiting": _listed(self.waiting),
            "failed_total": len(self.failed),
            "failed": _listed([SkippedWindow(window, error.what) for window, error in self.failed.items()]),
            "remaining": self.remaining,
            "incomplete_total": len(self.incomplete),
            "incomplete": _listed(self.incomplete),
            "finished_total": len(self.finished),
            "finished": [window.as_json() for window in self.finished[:MAX_LISTED]],
            "purged_total": len(self.purged),
            "purged": _listed(self.purged),
            "is_clean": self.is_clean,
            "seconds": round(self.seconds, 3),
            "notes": self.notes,
        }


def dirty_intervals(spec: RollupSpec, windows: Sequence[Interval]) -> list[Interval]:
    """The interval of a run for each window: the window itself, or the cell that a sliding window stops in."""
    grid = spec.grid.grid()
    if not grid.is_sliding:
        return list(windows)
    return [Interval(grid.floor(window.stop - MICROSECOND), window.stop) for window in windows]


def _listed(left: Sequence[SkippedWindow]) -> list[dict[str, Any]]:
    return [one.as_json() for one in left[:MAX_LISTED]]


def _change_json(change: Change) -> dict[str, Any]:
    reasons = [reason.value for reason in change.reasons]
    return {"window": change.window.as_json(), "reasons": reasons, "series": change.series}
