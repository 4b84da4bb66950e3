"""Findings for people, for GitHub's pages and for tools that read SARIF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_influx_rollup import __version__
from airflow_provider_influx_rollup.lint.finding import Finding, Severity
from airflow_provider_influx_rollup.lint.rules import RULES

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lint.report import LintReport

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_GITHUB_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


@dataclass(frozen=True, slots=True)
class LintedFile:
    """A file and what was found in it."""

    name: str
    report: LintReport


def text_lines(files: Sequence[LintedFile]) -> Iterator[str]:
    """A line for each finding, in the form that editors jump to, and one for its fix."""
    for file in files:
        for finding in file.report.findings:
            place = f"{file.name}:{finding.line}:{finding.column}"
            yield f"{place}: {finding.severity} {finding.name}: {finding.message}"
            yield f"    fix: {finding.fix}"


def summary(files: Sequence[LintedFile]) -> str:
    """Numbers of findings, in one line."""
    counts = [
        f"{count} {severity}{'' if count == 1 else 's'}"
        for severity in Severity
        if (count := sum(file.report.count(severity) for file in files))
    ]
    silenced = sum(len(file.report.silenced) for file in files)
    found = ", ".join(counts) or "nothing found"
    return f"{len(files)} script{'' if len(files) == 1 else 's'}: {found}" + (
        f"; {silenced} silenced" if silenced else ""
    )


def github_lines(files: Sequence[LintedFile]) -> Iterator[str]:
    """Workflow commands, which GitHub shows beside the lines of a change."""
    for file in files:
        for finding in file.report.findings:
            level = _GITHUB_LEVELS[finding.severity]
            place = f"file={_property(file.name)},line={finding.line},col={finding.column}"
            text = _data(f"{finding.message}\nfix: {finding.fix}")
            yield f"::{level} {place},title={_property(finding.name)}::{text}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def sarif(files: Sequence[LintedFile]) -> dict[str, Any]:
    """A SARIF 2.1.0 log of one run."""
    driver = {
        "name": "influx-rollup lint",
        "version": __version__,
        "rules": [
            {
                "id": rule.name,
                "shortDescription": {"text": rule.summary},
                "defaultConfiguration": {"level": rule.severity.value},
            }
            for rule in RULES
        ],
    }
    notes = [
        {
            "level": "note",
            "message": {"text": f"not looked at: {text}"},
            "locations": [{"physicalLocation": {"artifactLocation": _artifact(file.name)}}],
        }
        for file in files
        for text in file.report.unchecked
    ]
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}],
        "artifacts": [{"location": _artifact(file.name)} for file in files],
        "results": [result for file in files for result in _results(file)],
    }
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _results(file: LintedFile) -> Iterator[dict[str, Any]]:
    for finding in file.report.findings:
        yield _result(file.name, finding)
    for silenced in file.report.silenced:
        suppression = {"kind": "inSource", "justification": silenced.reason}
        yield {**_result(file.name, silenced.finding), "suppressions": [suppression]}


def _result(name: str, finding: Finding) -> dict[str, Any]:
    region = {"startLine": finding.line, "startColumn": finding.column}
    return {
        "ruleId": finding.name,
        "ruleIndex": next(index for index, rule in enumerate(RULES) if rule.name == finding.name),
        "level": finding.severity.value,
        "message": {"text": f"{finding.message}. Fix: {finding.fix}."},
        "locations": [{"physicalLocation": {"artifactLocation": _artifact(name), "region": region}}],
    }


def _artifact(name: str) -> dict[str, str]:
    return {"uri": quote("stdin" if name == "<stdin>" else name)}
