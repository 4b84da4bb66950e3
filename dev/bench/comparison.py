"""Two ways to the same rows, and the bound that was promised on how they compare."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """One line of the table.

    :param promise: the bound, in words
    """

    name: str
    ours: float
    theirs: float
    ratio: float
    promise: str
    holds: bool
    unit: str = "s"


def at_most(name: str, ours: float, theirs: float, times: float) -> Comparison:
    """Ours may take so many times as long as theirs."""
    ratio = ours / theirs
    return Comparison(name, ours, theirs, ratio, f"<= {times:g}x", ratio <= times)


def at_least(name: str, ours: float, theirs: float, times: float) -> Comparison:
    """Theirs takes at least so many times as long as ours."""
    ratio = theirs / ours
    return Comparison(name, ours, theirs, ratio, f">= {times:g}x", ratio >= times)


def within_megabytes(name: str, megabytes: float, most: float) -> Comparison:
    """The memory of a process stays under a bound."""
    ratio = megabytes / most
    return Comparison(name, megabytes, most, ratio, f"<= {most:g} MB", ratio <= 1, "MB")
