"""Comments that silence findings: ``// lint: ignore NAME - reason``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airflow_provider_influx_rollup.lint.finding import Finding
from airflow_provider_influx_rollup.lint.rules import BAD_IGNORE, NEVER_SILENT, RULE_NAMES, TOO_MANY_POINTS

_COMMENT = re.compile(r"//\s*lint:\s*ignore\b(?P<rest>.*)$")
_REST = re.compile(r"\s+(?P<names>[\w-]+(?:\s*,\s*[\w-]+)*)(?:\s+-+\s*(?P<reason>.*))?\s*$")
_FORM = "write // lint: ignore NAME - reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """One comment.

    :param place: its line and column, the column in bytes
    :param target: the line whose findings it silences
    :param names: of rules
    """

    place: tuple[int, int]
    target: int
    names: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Silenced:
    """A finding that a comment silences, and why."""

    finding: Finding
    reason: str


def silences_of(lines: Sequence[str]) -> list[Silence]:
    """The comments of a script; one on a line of its own is about the next line of code.

    :param lines: of the script
    """
    found = []
    for index, line in enumerate(lines):
        comment = _COMMENT.search(line)
        if comment is None:
            continue
        rest = _REST.match(comment["rest"])
        names = tuple(re.split(r"\s*,\s*", rest["names"])) if rest else ()
        before = line[: comment.start()]
        found.append(
            Silence(
                place=(index + 1, len(before.encode()) + 1),
                target=index + 1 if before.strip() else _next_code(lines, index + 1),
                names=names,
                reason=((rest["reason"] if rest else None) or "").strip(),
            )
        )
    return found


def _next_code(lines: Sequence[str], start: int) -> int:
    """The number of the first line from an index on that holds code."""
    for index in range(start, len(lines)):
        if lines[index].strip() and not lines[index].lstrip().startswith("//"):
            return index + 1
    return len(lines) + 1


def apply_silences(
    findings: Iterable[Finding], silences: Sequence[Silence], *, is_complete: bool
) -> tuple[list[Finding], list[Silenced]]:
    """Tell the findings that are silenced from the others, and find comments that do nothing.

    :param is_complete: whether all rules could look; else a comment may be about one that could not
    :return: the findings that stay, and those that are silenced
    """
    stay: list[Finding] = []
    silent: list[Silenced] = []
    used: set[tuple[tuple[int, int], str]] = set()
    for finding in findings:
        takers = [one for one in silences if _silences(one, finding)]
        used |= {(one.place, finding.name) for one in takers}
        if takers:
            silent.append(Silenced(finding, takers[0].reason))
        else:
            stay.append(finding)
    for silence in silences:
        stay += _complaints(silence, used, is_complete)
    return stay, silent


def _silences(silence: Silence, finding: Finding) -> bool:
    return (
        finding.line == silence.target
        and finding.name in silence.names
        and finding.name not in NEVER_SILENT
        and bool(silence.reason)
    )


def _complaints(silence: Silence, used: set[tuple[tuple[int, int], str]], is_complete: bool) -> list[Finding]:
    """Findings about a comment."""
    if not silence.names:
        return [BAD_IGNORE.found_at(silence.place, "the comment names no rule", _FORM)]
    if not silence.reason:
        message = f"the comment gives no reason to ignore {', '.join(silence.names)}"
        return [BAD_IGNORE.found_at(silence.place, message, _FORM)]
    found = []
    for name in silence.names:
        if name not in RULE_NAMES:
            message = f"there is no rule {name}"
            found.append(BAD_IGNORE.found_at(silence.place, message, "correct the name"))
        elif name in NEVER_SILENT:
            message = f"{name} cannot be silenced"
            found.append(BAD_IGNORE.found_at(silence.place, message, "correct the script"))
        elif is_complete and name != TOO_MANY_POINTS.name and (silence.place, name) not in used:
            message = f"line {silence.target} has no {name}"
            found.append(BAD_IGNORE.found_at(silence.place, message, "remove the name from the comment"))
    return found
