"""Messages about failures and silent series: what happened, to which window, what was written, what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup import exceptions
from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.shown import few

# of an error that is none of ours: enough to know it, not enough to carry a request along
MAX_FOREIGN_CHARACTERS = 300
MAX_CHARACTERS = 3000
MAX_NAMED = 5
# how str() of our errors joins its parts
PARTS = re.compile(
    r"^(?:(?P<name>[A-Z]\w+): )?(?P<what>.*?)"
    r"(?:\. Window: (?P<window>\[[^)]*\)))?"
    r"(?:\. Written: (?P<written>.*?))?"
    r"(?:\. To do: (?P<fix>.*?))?\.?$",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFailure:
    """Facts about a failure.

    :param name: class of the error
    :param window: as text, such as ``[2025-01-01T05:00:00Z, 2025-01-01T06:00:00Z)``; empty when it is not known
    :param written: what was and was not written
    :param fix: what to do
    """

    name: str
    what: str
    window: str = ""
    written: str = ""
    fix: str = ""

    @property
    def headline(self) -> str:
        """The error and what happened."""
        return f"{self.name}: {self.what}" if self.name else self.what

    def lines(self) -> list[str]:
        """One line for each thing that is known."""
        named = (("Window", self.window), ("Written", self.written), ("To do", self.fix))
        return [f"What: {self.headline}", *(f"{name}: {text}" for name, text in named if text)]


def failure_of(error: object) -> WindowFailure:
    """Facts about a window from an exception; one of this package may be its cause, or its text.

    :param error: an exception, or the text of one
    """
    cause = error
    while isinstance(cause, BaseException):
        if isinstance(cause, InfluxRollupError):
            return _of_own(cause)
        cause = cause.__cause__
    text = str(error)
    found = PARTS.match(text)
    if found and found["name"] and hasattr(exceptions, found["name"]):
        known = {key: value or "" for key, value in found.groupdict().items()}
        return WindowFailure(**known)
    first = text.strip().split("\n")[0][:MAX_FOREIGN_CHARACTERS]
    name = type(error).__name__ if isinstance(error, BaseException) else ""
    return WindowFailure(name=name, what=first or "no message")


def _of_own(error: InfluxRollupError) -> WindowFailure:
    window = "" if error.window is None else str(error.window)
    return WindowFailure(
        name=type(error).__name__,
        what=error.what,
        window=window,
        written=error.written or "",
        fix=error.fix or "",
    )


def deadman_news(result: Mapping[str, Any], where: str) -> str | None:
    """Changes that a deadman check found: one alarm when series die, one message when they come back.

    :param result: what ``DeadmanCheckOperator`` returns
    :param where: what is watched, in words
    :return: None when nothing changed, or when a later interval was judged already, as in a backfill
    """
    if not result["is_latest"]:
        return None
    lines = [
        f"{result[f'{kind}_count']} series of {where} {word} at {result['window']['stop']}: {_named(result, kind)}"
        for kind, word in (("newly_dead", "fell silent"), ("came_back", "came back"))
        if result[f"{kind}_count"]
    ]
    if not lines:
        return None
    still = result["dead_count"]
    return "\n".join(
        [*lines, f"{still} of {result['expected']} are silent now" if still else "All report now"]
    )


def _named(result: Mapping[str, Any], kind: str) -> str:
    listed: Sequence[Mapping[str, Any]] = result[kind][:MAX_NAMED]
    labels = []
    for found in listed:
        tags = ", ".join(f"{key}={value}" for key, value in found["series"].items())
        labels.append(f"{tags or 'the whole measurement'} (last point {found['last_seen'] or 'never'})")
    return few(labels, len(labels), in_all=result[f"{kind}_count"])
