"""Result of a deadman check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.lifecycle.deadman.series_state import SeriesVerdict
from airflow_provider_influx_rollup.lifecycle.statuses.check_status import Check
from airflow_provider_influx_rollup.windows.interval import Interval

MAX_LISTED = 200


@dataclass(frozen=True, slots=True)
class WrittenStatuses:
    """Result of writing a check's statuses.

    :param note: why nothing was, or what is wrong with it; else empty
    :param is_dry_run: whether nothing was to be
    """

    count: int
    note: str = ""
    is_dry_run: bool = False

    def as_json(self) -> dict[str, Any]:
        """Its part of the return value."""
        return {
            "statuses_written": self.count,
            **({"statuses_note": self.note} if self.note else {}),
            **({"dry_run": True} if self.is_dry_run else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadmanResult:
    """Series that were judged.

    :param expected: how many had to report
    :param newly_dead: those of the dead whose status before was none of death
    :param unexpected: how many reported that were not expected
    :param is_silent: whether no series of the measurement reported
    :param is_latest: whether the check has judged no later interval
    """

    interval: Interval
    check: Check
    expected: int
    dead: Sequence[SeriesVerdict]
    newly_dead: Sequence[SeriesVerdict]
    came_back: Sequence[SeriesVerdict]
    retired: Sequence[SeriesVerdict]
    unexpected: int
    is_silent: bool
    is_latest: bool
    written: WrittenStatuses

    @property
    def state(self) -> str:
        """``ok``, ``dead`` or ``nothing_expected``."""
        return "dead" if self.dead else "ok" if self.expected else "nothing_expected"

    def counts(self) -> str:
        """One line with the numbers of series."""
        counts = {
            "expected": self.expected,
            "alive": self.expected - len(self.dead),
            "dead": len(self.dead),
            "came back": len(self.came_back),
            "retired": len(self.retired),
        }
        return ", ".join(f"{count} {word}" for word, count in counts.items())

    def as_json(self) -> dict[str, Any]:
        """The return value of the stage."""
        listed = {
            "dead": self.dead,
            "newly_dead": self.newly_dead,
            "came_back": self.came_back,
            "retired": self.retired,
        }
        named: dict[str, Any] = {}
        for name, verdicts in listed.items():
            named[f"{name}_count"] = len(verdicts)
            named[name] = [verdict.as_json() for verdict in verdicts[:MAX_LISTED]]
        return {
            "window": self.interval.as_json(),
            "check_id": self.check.id,
            "check_name": self.check.name,
            "expected": self.expected,
            "alive": self.expected - len(self.dead),
            **named,
            "unexpected": self.unexpected,
            "measurement_silent": self.is_silent,
            "state": self.state,
            "is_latest": self.is_latest,
            **self.written.as_json(),
        }
