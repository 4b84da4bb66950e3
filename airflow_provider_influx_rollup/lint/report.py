"""The findings of one script together, and what could not be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lint import depth, pushdown, ranges, writes
from airflow_provider_influx_rollup.lint.depth import is_too_deep
from airflow_provider_influx_rollup.lint.finding import Finding, Severity
from airflow_provider_influx_rollup.lint.parser import parse_flux
from airflow_provider_influx_rollup.lint.rules import (
    MISSING_BUCKET,
    NO_RANGE,
    NOT_READ,
    RULES,
    SEMANTICS,
    SYNTAX,
    TOO_DEEP,
)
from airflow_provider_influx_rollup.lint.script import Script
from airflow_provider_influx_rollup.lint.silence import Silenced, apply_silences, silences_of
from airflow_provider_influx_rollup.lint.tokens import NotFlux
from airflow_provider_influx_rollup.windows.duration import Duration

_CHECKS = (
    ranges.unbounded,
    ranges.all_time,
    ranges.not_the_window,
    ranges.cut_windows,
    ranges.impossible_durations,
    writes.bound_names,
    writes.own_target,
    writes.columns_gone,
    pushdown.shared_variables,
    pushdown.weak_filters,
)
# nothing is planned after these
_ENDS_THE_LOOK = frozenset({SYNTAX.name, SEMANTICS.name, MISSING_BUCKET.name, NO_RANGE.name})
NEEDS_SERVER = ", ".join(rule.name for rule in RULES if rule.needs_server)


@dataclass(frozen=True, slots=True)
class LintReport:
    """Findings of a script, and the gaps of the look at it.

    :param findings: in the order of the text
    :param silenced: findings that comments silence
    :param unchecked: what could not be looked at and why, one sentence each
    """

    findings: tuple[Finding, ...]
    silenced: tuple[Silenced, ...] = ()
    unchecked: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str, findings: Iterable[Finding], unchecked: Sequence[str] = ()) -> LintReport:
        """Put findings in order, each once, and apply the comments of the script.

        :param findings: with columns in bytes
        """
        # as the server counts lines: only line feeds end them
        lines = text.split("\n")
        stay, silent = apply_silences(dict.fromkeys(findings), silences_of(lines), is_complete=not unchecked)
        placed = [Silenced(one.finding.in_characters(lines), one.reason) for one in silent]
        return cls(_in_order(stay, lines), tuple(placed), tuple(unchecked))

    def count(self, severity: Severity) -> int:
        """Count the findings of a severity."""
        return sum(finding.severity is severity for finding in self.findings)

    def fails(self, fail_on: Severity | None) -> bool:
        """Whether a finding is as bad as this, or worse.

        :param fail_on: None: never
        """
        return fail_on is not None and any(one.severity.is_at_least(fail_on) for one in self.findings)

    def as_json(self) -> dict[str, Any]:
        """The report as small JSON."""
        return {
            "findings": [finding.as_json() for finding in self.findings],
            "silenced": [{**one.finding.as_json(), "reason": one.reason} for one in self.silenced],
            "unchecked": list(self.unchecked),
        }


def static_findings(script: Script) -> list[Finding]:
    """Findings that the syntax tree alone shows."""
    try:
        return [finding for check in _CHECKS for finding in check(script)]
    except RecursionError:
        return [_too_deep()]


def unreadable_place(text: str) -> tuple[int, int] | None:
    """Line and column where a script surely is no Flux; None when it is, or holds what cannot be read here."""
    try:
        parse_flux(text)
    except NotFlux as error:
        return (error.place["line"], error.place["column"]) if error.is_sure else None
    return None


def lint_text(
    text: str, *, params: Mapping[str, object] | None = None, every: Duration | None = None
) -> LintReport:
    """Look at a script where there is no server.

    :param params: the values of ``params.<name>``
    :param every: length of the windows it runs for; None: as ``option task`` says
    """
    unchecked = [f"without a server, nothing can be said of {NEEDS_SERVER}"]
    if (finding := too_deep(text)) is not None:
        return LintReport.of(text, [finding], unchecked)
    try:
        script = read_script(parse_flux(text), params=params, every=every)
    except NotFlux as error:
        place = error.place["line"], error.place["column"]
        if not error.is_sure:
            message = f"the script was not looked at: {error.what}"
            fix = "look at it with a server, which reads all of Flux"
            return LintReport.of(text, [NOT_READ.found_at(place, message, fix)], unchecked)
        finding = SYNTAX.found_at(
            place, f"the script cannot be parsed: {error.what}", "correct the text here"
        )
        return LintReport.of(text, [finding], unchecked)
    found = [script] if isinstance(script, Finding) else static_findings(script)
    return LintReport.of(text, found, unchecked)


def read_script(
    package: Mapping[str, Any], *, params: Mapping[str, object] | None, every: Duration | None
) -> Script | Finding:
    """A script from its syntax tree, or what is wrong with its ``option task``."""
    try:
        return Script.of(package, params=params, every=every)
    except ConfigurationError as error:
        return SEMANTICS.found_at((1, 1), error.what, error.fix or "correct option task")
    except RecursionError:
        return _too_deep()


def too_deep(text: str) -> Finding | None:
    """The finding of a script that no server is asked to parse."""
    if not is_too_deep(text):
        return None
    message = f"its {depth.TOO_DEEP}: a parse could take all memory of a server, and none is asked for it"
    return TOO_DEEP.found_at((1, 1), message, depth.FLATTER)


def _too_deep() -> Finding:
    message = f"the script was not looked at: its {depth.TOO_DEEP}"
    return NOT_READ.found_at((1, 1), message, depth.FLATTER)


def _in_order(findings: Iterable[Finding], lines: list[str]) -> tuple[Finding, ...]:
    placed = (finding.in_characters(lines) for finding in findings)
    return tuple(sorted(placed, key=lambda one: (one.line, one.column, one.name)))
