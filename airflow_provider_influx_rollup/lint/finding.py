"""Findings of lint, and their places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """Severity of a finding; the worst is first."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    def is_at_least(self, other: Severity) -> bool:
        """Whether it is as bad as another one, or worse."""
        order = list(Severity)
        return order.index(self) <= order.index(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with a script.

    :param name: of its rule
    :param line: from 1
    :param column: from 1, in characters once the report is made; in bytes of UTF-8 before, as the server counts
    :param message: what is wrong, one sentence
    :param fix: what to do
    """

    name: str
    severity: Severity
    line: int
    column: int
    message: str
    fix: str

    def in_characters(self, lines: list[str]) -> Finding:
        """The same with its column in characters.

        :param lines: of the script
        """
        text = lines[self.line - 1] if self.line <= len(lines) else ""
        before = text.encode()[: self.column - 1].decode(errors="ignore")
        return replace(self, column=len(before) + 1)

    def as_json(self) -> dict[str, Any]:
        """The finding as small JSON."""
        return {**asdict(self), "severity": self.severity.value}


def start_of(node: Mapping[str, Any]) -> tuple[int, int]:
    """Line and column of a node of the syntax tree; 1, 1 where the tree does not say."""
    start = node.get("location", {}).get("start", {})
    return start.get("line", 1), start.get("column", 1)
