"""Findings of a validation in a window, as points of the ledger: one for each rule."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.ledger.line_protocol import encode_line
from airflow_provider_influx_rollup.windows.interval import Interval

VALIDATION_MEASUREMENT = "validation_results"
# a string field of InfluxDB holds 64 KiB
MAX_EXAMPLE_CHARACTERS = 15_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """Finding of one rule in one window.

    :param name: the rule's name, one of its own in a validation
    :param kind: which rule of the catalog it is
    :param checked: how much it looked at
    :param violations: how much of it broke the rule
    :param unit: what they count: ``points``, ``series`` or ``findings``
    :param is_violated: whether more broke it than it tolerates
    :param quarantined: values that are in the quarantine for it
    :param examples: the worst ones, capped
    """

    name: str
    kind: str
    severity: str
    checked: int
    violations: int
    unit: str
    is_violated: bool
    quarantined: int
    examples: Sequence[Mapping[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """For the task's return value."""
        return {
            "rule": self.name,
            "kind": self.kind,
            "severity": self.severity,
            "checked": self.checked,
            "violations": self.violations,
            "unit": self.unit,
            "is_violated": self.is_violated,
            "quarantined": self.quarantined,
            "examples": [dict(example) for example in self.examples],
        }


def encode_validation(
    validation: str,
    measurement: str,
    window: Interval,
    results: Iterable[RuleResult],
    run: Mapping[str, str],
) -> list[str]:
    """One line for each rule, at the window's start: the same window overwrites what it said before.

    :param validation: the validation's name
    :param run: ``dag_id``, ``task_id`` and ``run_id``
    """
    lines = []
    for result in results:
        tags = {"validation": validation, "measurement": measurement, "rule": result.name}
        fields: dict[str, int | float | str | bool] = {
            "kind": result.kind,
            "severity": result.severity,
            "checked": result.checked,
            "violations": result.violations,
            "unit": result.unit,
            "is_violated": result.is_violated,
            "quarantined": result.quarantined,
            "examples": _examples(result.examples),
            "stop_ns": window.stop_ns,
            **run,
        }
        lines.append(encode_line(VALIDATION_MEASUREMENT, tags, fields, window.start_ns))
    return lines


def _examples(examples: Sequence[Mapping[str, Any]]) -> str:
    """JSON of as many examples as a field holds."""
    kept = list(examples)
    while kept and len(text := json.dumps(kept, ensure_ascii=False)) > MAX_EXAMPLE_CHARACTERS:
        kept.pop()
    return text if kept else "[]"
