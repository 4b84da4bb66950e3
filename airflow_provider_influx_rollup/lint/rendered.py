"""Findings about the Flux that a template becomes, at their places in the template."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from difflib import SequenceMatcher

from airflow_provider_influx_rollup.flux import literals
from airflow_provider_influx_rollup.lint.finding import Finding
from airflow_provider_influx_rollup.lint.report import LintReport
from airflow_provider_influx_rollup.lint.silence import Silenced


def with_window(flux: str, start: datetime, stop: datetime) -> str:
    """What a template has become, with the times of its window read from ``v``: they differ in each run.

    :param start: start of the window that it was rendered for, aware
    :param stop: its stop
    """
    for instant, name in ((start, "v.timeRangeStart"), (stop, "v.timeRangeStop")):
        flux = re.sub(rf'(?<!["\w]){re.escape(literals.time(instant))}', name, flux)
    return flux


def in_template(report: LintReport, template: str, flux: str) -> LintReport:
    """The same report with lines and columns of the template; what the template has made of a line is said.

    :param template: the text that people edit
    :param flux: what it became, which the report is about
    """
    placed = _places(template.split("\n"), flux.split("\n"))
    return replace(
        report,
        findings=tuple(placed(finding) for finding in report.findings),
        silenced=tuple(Silenced(placed(one.finding), one.reason) for one in report.silenced),
    )


def _places(written: list[str], rendered: list[str]) -> Callable[[Finding], Finding]:
    origins = _origins(written, rendered)

    def placed(finding: Finding) -> Finding:
        text = rendered[finding.line - 1] if finding.line <= len(rendered) else ""
        line = origins[min(finding.line, len(origins)) - 1]
        own = written[line - 1]
        if own == text:
            return replace(finding, line=line)
        message = f"{finding.message} (rendered: {text.strip()})"
        return replace(finding, line=line, column=_column(own, text, finding.column), message=message)

    return placed


def _origins(written: list[str], rendered: list[str]) -> list[int]:
    """The line of the template that each rendered line is from; of a loop or an include, the line where it begins."""
    matcher = SequenceMatcher(None, written, rendered, autojunk=False)
    found: list[int] = []
    for _, first, last, start, stop in matcher.get_opcodes():
        is_line_by_line = last - first == stop - start
        for index in range(stop - start):
            line = first + index if is_line_by_line else min(first, len(written) - 1)
            found.append(line + 1)
    return found


def _column(written: str, rendered: str, column: int) -> int:
    """The column in the template: before what was filled in, behind it, or where it begins."""
    alike = _alike(written, rendered)
    if column <= alike:
        return column
    rest = _alike(written[alike:][::-1], rendered[alike:][::-1])
    from_end = len(rendered) - column + 1
    return len(written) - from_end + 1 if from_end <= rest else min(alike + 1, len(written) or 1)


def _alike(one: str, other: str) -> int:
    """How many characters at the start are the same."""
    return next(
        (index for index, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )
