"""When the demo's data is: the fleet in the last whole days, San Francisco in 2010."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from dev import san_francisco
from dev.demo import setting
from dev.fleet import FleetPlan
from tests import oracle


@dataclass(frozen=True, slots=True)
class Timeline:
    """The times of one run of the demo.

    :param plan: the fleet's; its devices send in the whole UTC days before today
    """

    plan: FleetPlan

    @classmethod
    def until(cls, now: datetime, devices: int = setting.DEVICES, hours: int = setting.HOURS) -> Timeline:
        """The times when the data ends with the last whole day before an aware ``now``."""
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return cls(FleetPlan(start=midnight - timedelta(hours=hours), devices=devices, hours=hours))

    @property
    def fleet_last(self) -> datetime:
        """Logical date of the fleet's last run."""
        return self.plan.stop - timedelta(hours=setting.HOURS_PER_RUN)

    @property
    def weather_first(self) -> datetime:
        """Logical date of January 2010 in San Francisco."""
        return datetime(2010, 1, 1, tzinfo=ZoneInfo(san_francisco.TIMEZONE)).astimezone(UTC)

    @property
    def weather_last(self) -> datetime:
        """Logical date of December 2010 in San Francisco."""
        return datetime(2010, 12, 1, tzinfo=ZoneInfo(san_francisco.TIMEZONE)).astimezone(UTC)

    def environment(self) -> dict[str, str]:
        """What the DAG file reads."""
        return {
            "DEMO_FLEET_FIRST": self.plan.start.isoformat(),
            "DEMO_FLEET_LAST": self.fleet_last.isoformat(),
            "DEMO_WEATHER_FIRST": self.weather_first.isoformat(),
            "DEMO_WEATHER_LAST": self.weather_last.isoformat(),
            "DEMO_EXPECTED": json.dumps(self.plan.expected, ensure_ascii=False),
        }

    def windows(self) -> dict[str, list[oracle.Window]]:
        """The planned windows of each target bucket."""
        start, stop = (
            pd.Timestamp(instant).tz_localize(None) for instant in (self.plan.start, self.plan.stop)
        )
        return {
            setting.TEN_MINUTES: oracle.windows(start, stop, "10min"),
            setting.HOURLY: oracle.windows(start, stop, "1h"),
            setting.WEATHER_DAILY: oracle.local_days("2010-01-01", "2010-12-31", san_francisco.TIMEZONE),
        }
