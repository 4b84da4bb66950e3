"""Findings of each rule so far, part by part."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from airflow_provider_influx_rollup.ledger.validation import RuleResult
from airflow_provider_influx_rollup.validation.points import Part, Points, Registry
from airflow_provider_influx_rollup.validation.rule import PartVerdict, PointRule, Rule
from airflow_provider_influx_rollup.validation.sequence_memory import Memory
from airflow_provider_influx_rollup.validation.sightings import RuleVerdict, Sighting
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.rfc3339 import rfc3339

MAX_EXAMPLES = 5
MAX_TEXT = 200

Masks = Mapping[int, NDArray[Any]]


@dataclass(kw_only=True)
class RuleTally:
    """Findings of one rule.

    :param memory: what the rule needs of the parts that it has judged
    :param examples: the worst ones with their scores, the worst first
    """

    rule: Rule
    checked: int = 0
    violations: int = 0
    quarantined: int = 0
    memory: Memory = field(default_factory=dict)
    examples: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def add_points(self, part: Part, verdict: PartVerdict) -> None:
        """Count the rows of a part that break the rule."""
        self.memory = verdict.memory
        self.checked += part.checked(self.rule, verdict.masks)
        for index, mask in verdict.masks.items():
            count = int(np.count_nonzero(mask))
            if count:
                self.violations += count
                self._add_examples(part.tables[index].where(mask), part.registry)

    def _add_examples(self, bad: Points, registry: Registry) -> None:
        score = self.rule.score(bad) if isinstance(self.rule, PointRule) else None
        order = np.arange(min(len(bad), MAX_EXAMPLES))
        if score is not None:
            order = np.argsort(-score, kind="stable")[:MAX_EXAMPLES]
        for row in order.tolist():
            example = {
                "time": rfc3339(int(bad.time_ns[row])),
                "tags": dict(registry.tag_sets[bad.series[row]]),
                "field": bad.field,
                "value": _short(bad.values[row]),
            }
            self.examples.append((0.0 if score is None else float(score[row]), example))
        self.examples = sorted(self.examples, key=lambda pair: -pair[0])[:MAX_EXAMPLES]

    def add_verdict(self, verdict: RuleVerdict) -> None:
        """Findings of a series rule."""
        self.checked += verdict.checked
        self.violations += verdict.violations
        reasons = dict.fromkeys([*verdict.findings, *verdict.hits.values()])
        self.examples += [(0.0, {"message": _short(text)}) for text in list(reasons)[:MAX_EXAMPLES]]

    def result(self) -> RuleResult:
        """Result of the rule."""
        is_violated = self.violations > self.rule.tolerance * self.checked
        return RuleResult(
            name=self.rule.name,
            kind=self.rule.rule,
            severity=self.rule.severity,
            checked=self.checked,
            violations=self.violations,
            unit=self.rule.unit,
            is_violated=is_violated,
            quarantined=self.quarantined,
            examples=[example for _, example in self.examples],
        )


def masks_of_hits(part: Part, hits: Mapping[Sighting, str]) -> dict[int, NDArray[Any]]:
    """The rows of a part that belong to sightings which a series rule calls wrong."""
    wrong: dict[tuple[str, Interval], list[int]] = defaultdict(list)
    for sighting in hits:
        number = part.registry.numbers.get(sighting.tags)
        if number is not None and sighting.part.overlaps(part.interval):
            wrong[sighting.field, sighting.part].append(number)
    masks: dict[int, NDArray[Any]] = {}
    for index, table in enumerate(part.tables):
        for (name, span), numbers in wrong.items():
            if name == table.field:
                inside = (table.time_ns >= span.start_ns) & (table.time_ns < span.stop_ns)
                mask = inside & np.isin(table.series, numbers)
                masks[index] = masks[index] | mask if index in masks else mask
    return masks


def _short(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    return plain if not isinstance(plain, str) or len(plain) <= MAX_TEXT else f"{plain[:MAX_TEXT]}..."
