"""The windows of a schedule, and the pipelines that are in a world together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.windows.interval import Interval

START = datetime(2025, 3, 8, tzinfo=UTC)
HOUR_NS = 3600 * 10**9
HOURS = 3
WINDOWS = [
    Interval(START + timedelta(hours=hour), START + timedelta(hours=hour + 1)) for hour in range(HOURS)
]
SPAN = Interval(WINDOWS[0].start, WINDOWS[-1].stop)


@dataclass(frozen=True)
class Pipeline:
    """A pipeline of a world.

    :param older: another spec of the same name, which may be in use too
    :param below: name of the tier that it is merged from
    """

    name: str
    aggregates: tuple[str, ...]
    measurement: str = "m"
    every: str = "1h"
    group_by: tuple[str, ...] | None = None
    below: str | None = None
    older: tuple[str, ...] = ()

    def spec(self, *, is_older: bool = False) -> RollupSpec:
        return RollupSpec(
            source_bucket="rolled" if self.below else "raw",
            target_bucket=self.target,
            measurement="m",
            target_measurement=self.measurement,
            grid=GridSpec(self.every),
            aggregates=self.older if is_older else self.aggregates,
            group_by=self.group_by,
            pipeline=self.name,
            ledger_bucket="ledger",
            source_tier=self.below,
            # of what the source has only the raw field, and of a tier below only what was made of it
            fields=("temp",),
        )

    @property
    def target(self) -> str:
        """The bucket of its rows."""
        return "daily" if self.below else "rolled"

    @property
    def windows(self) -> list[Interval]:
        return [SPAN] if self.every == f"{HOURS}h" else WINDOWS


#: pipelines that are in a world together
VARIANTS: dict[str, tuple[Pipeline, ...]] = {
    "plain": (Pipeline("hourly", ("count", "sum", "max")),),
    "uncounted": (Pipeline("hourly", ("sum", "max")),),
    "tiers": (
        Pipeline("hourly", ("count", "sum", "max")),
        Pipeline("daily", ("count", "sum", "max"), every=f"{HOURS}h", below="hourly"),
    ),
    "shared": (Pipeline("hourly", ("count", "sum")), Pipeline("other", ("max", "last"))),
    "raw": (Pipeline("hourly", ("median", "mean")),),
    "grouped": (Pipeline("hourly", ("sum", "last"), group_by=("site",)),),
    "respecified": (Pipeline("hourly", ("count", "max"), older=("count", "sum", "min")),),
    # what the first one has given up is the second one's
    "handed over": (Pipeline("hourly", ("count",), older=("count", "max")), Pipeline("other", ("max",))),
    "archived": (Pipeline("hourly", ("count", "sum", "max")),),
    # one series is erased, and nothing is archived
    "erased": (Pipeline("hourly", ("count", "sum")), Pipeline("other", ("max", "last"))),
    # the same of a tier and what is merged from it
    "erased tiers": (
        Pipeline("hourly", ("count", "sum", "max")),
        Pipeline("daily", ("count", "sum", "max"), every=f"{HOURS}h", below="hourly"),
    ),
    "expiring": (Pipeline("hourly", ("count", "sum", "max")),),
    # all that becomes of a window in its order, beside a run that hangs
    "aged": (Pipeline("hourly", ("count", "sum", "max")),),
    "validated": (Pipeline("hourly", ("count", "max")),),
    "scripted": (Pipeline("hourly", ("sum",)),),
    "three": (
        Pipeline("hourly", ("count", "sum")),
        Pipeline("third", ("min",)),
        Pipeline("other", ("max", "last")),
    ),
    "respecified beside": (
        Pipeline("hourly", ("count",), older=("count", "min")),
        Pipeline("other", ("max",)),
    ),
    "other grid": (
        Pipeline("hourly", ("count", "sum")),
        Pipeline("long", ("max", "last"), every=f"{HOURS}h"),
    ),
    "grouped beside": (
        Pipeline("hourly", ("count", "sum")),
        Pipeline("other", ("max", "last"), group_by=("site",)),
    ),
    "watched": (Pipeline("hourly", ("count", "max")),),
}
#: variants whose points are archived; in the second one retention deletes them some time
ARCHIVED = ("archived", "expiring", "aged")
#: variants with tiers, and those in which one series is erased and nothing is archived
TIERS = ("tiers", "erased tiers")
ERASED = ("erased", "erased tiers")
#: variants of which two pipelines write to the same points
SHARED = (
    "shared",
    "handed over",
    "three",
    "respecified beside",
    "other grid",
    "grouped beside",
    "erased",
)
