"""How much a stage has read and written, and what it has found, by its small JSON result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: what of a result a run facet has: numbers and names, no values of points or tags
SHOWN = (
    "pipeline",
    "validation",
    "window",
    "windows",
    "rows_in",
    "rows_out",
    "points",
    "series",
    "generation",
    "checksum",
    "state",
    "healed",
    "dirty_total",
    "quarantined",
    "is_clean",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How much went through a flow; None is not known.

    :param rows_in: points read from its first input
    :param rows_out: rows written to each of its outputs, in order
    :param bytes_out: size of the files that the first output got
    """

    rows_in: int | None = None
    rows_out: Sequence[int | None] = ()
    bytes_out: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether data is as somebody said that it should be.

    :param kind: what is looked at, such as ``range`` or ``freshness``
    :param actual: what was found, in words
    :param severity: ``error`` or ``warn``
    """

    kind: str
    name: str
    holds: bool
    actual: str
    severity: str


def shown_facts(result: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a result that a run facet has.

    :param result: of a stage
    """
    facts = {key: result[key] for key in SHOWN if result.get(key) is not None}
    if isinstance(result.get("cascaded"), Sequence):
        facts["tiers"] = [shown_facts(tier) for tier in result["cascaded"]]
    return facts


def verdicts_of_rules(rules: Sequence[Mapping[str, Any]]) -> list[Verdict]:
    """The verdicts of a validation.

    :param rules: as its result has them
    """
    return [
        Verdict(
            kind=rule["kind"],
            name=rule["rule"],
            holds=not rule["is_violated"],
            actual=f"{rule['violations']} of {rule['checked']} {rule['unit']} break it",
            severity=rule["severity"],
        )
        for rule in rules
    ]
