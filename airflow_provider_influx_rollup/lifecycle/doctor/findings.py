"""Findings of an examination."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Severity of a finding."""

    OK = "ok"
    WARN = "warn"
    """It works now, and may surprise later."""
    FAIL = "fail"
    """It does not work, or loses data."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of an examination.

    :param check: what was looked at, one word
    :param fix: what to do; empty when all is well
    """

    check: str
    status: Severity
    message: str
    fix: str = ""

    def as_json(self) -> dict[str, str]:
        """Plain values."""
        return {"check": self.check, "status": self.status.value, "message": self.message, "fix": self.fix}


def describe(seconds: float) -> str:
    """A length of time to read: ``30 days``, ``6 h``, ``90 s``."""
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length or (seconds >= length and seconds % length == 0):
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:g} s"
