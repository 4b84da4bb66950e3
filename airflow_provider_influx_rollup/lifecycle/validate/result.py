"""Result of a validation, and its table in the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_influx_rollup.ledger.validation import RuleResult
from airflow_provider_influx_rollup.windows.interval import Interval

OK = "ok"
VIOLATED = "violated"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationResult:
    """The rules of one validation, and what was written.

    :param points: points of the interval
    :param points_read: how many of them the worker read
    :param notes: what people should know, such as rules that looked at nothing
    :param clean: what the clean bucket got; None when there is none
    :param checksums: of the points in the clean bucket, and of those in quarantine
    :param is_dry_run: whether nothing was written
    """

    validation: str
    bucket: str
    measurement: str
    interval: Interval
    points: int
    points_read: int
    results: Sequence[RuleResult]
    notes: Sequence[str]
    clean: Mapping[str, int] | None
    seconds: float
    checksums: Mapping[str, str] = field(default_factory=dict)
    is_dry_run: bool = False

    @property
    def state(self) -> str:
        """``violated`` when a rule of severity error is."""
        is_violated = any(result.is_violated and result.severity == "error" for result in self.results)
        return VIOLATED if is_violated else OK

    def as_json(self) -> dict[str, Any]:
        """The return value of the stage."""
        return {
            "validation": self.validation,
            "bucket": self.bucket,
            "measurement": self.measurement,
            "window": self.interval.as_json(),
            "state": self.state,
            "points": self.points,
            "points_read": self.points_read,
            "violated": [result.name for result in self.results if result.is_violated],
            "quarantined": sum(result.quarantined for result in self.results),
            "rules": [result.as_json() for result in self.results],
            "clean": None if self.clean is None else dict(self.clean),
            "notes": list(self.notes),
            "checksums": dict(self.checksums),
            "seconds": round(self.seconds, 3),
            **({"dry_run": True} if self.is_dry_run else {}),
        }

    def table(self) -> str:
        """One aligned line for each rule."""
        rows = [("rule", "checked", "violations", "verdict", "worst")]
        for result in self.results:
            verdict = "ok" if not result.is_violated else result.severity.upper()
            worst = _shown(result.examples[0]) if result.examples else ""
            count = f"{result.violations:,} {result.unit}" if result.violations else "0"
            rows.append((result.name, f"{result.checked:,}", count, verdict, worst))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [
            f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]:<{widths[3]}}  {row[4]}".rstrip()
            for row in rows
        ]
        head = f"Validation {self.validation} of {self.interval}: {self.state}, {self.points:,} points"
        return "\n".join([head, *lines])


def _shown(example: Mapping[str, Any]) -> str:
    if "message" in example:
        return str(example["message"])
    tags = ",".join(f"{key}={value}" for key, value in example["tags"].items())
    return f"{example['field']}={example['value']!r} at {example['time']} of {tags}"
