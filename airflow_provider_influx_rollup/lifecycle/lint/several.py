"""Lint several scripts, and return an answer that is small."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_influx_rollup.exceptions import ScriptInvalid
from airflow_provider_influx_rollup.lifecycle.lint.lint import LintSpec, lint_script
from airflow_provider_influx_rollup.lint.finding import Severity
from airflow_provider_influx_rollup.lint.report import LintReport
from airflow_provider_influx_rollup.shown import counted
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

# an answer travels through Airflow's database
MAX_FINDINGS = 100
_SHOWN = 3


def lint_all(
    scripts: Mapping[str, LintSpec], window: Interval | None, fail_on: Severity | None
) -> Steps[dict[str, Any]]:
    """Look at each script, report each finding, and fail when one is bad enough.

    :param scripts: by the name that people know them by
    :param window: where points are counted for ``max_points``
    :param fail_on: None: never
    :return: small JSON: ``scripts``, how many findings of each severity, ``silenced``, ``findings`` (the first hundred) and
        ``unchecked``
    :raises ScriptInvalid: naming the first findings
    """
    reports: dict[str, LintReport] = {}
    for name, spec in scripts.items():
        reports[name] = yield from lint_script(spec, window)
        for line in _lines(name, reports[name]):
            yield from ask(Report(line, level="warning"))
    bad = [
        f"{name}:{one.line}:{one.column} {one.name}: {one.message}"
        for name, report in reports.items()
        for one in report.findings
        if fail_on is not None and one.severity.is_at_least(fail_on)
    ]
    if bad:
        rest = f"; and {len(bad) - _SHOWN} more, see the log" if len(bad) > _SHOWN else ""
        what = f"{counted(len(bad), 'finding')} {'is' if len(bad) == 1 else 'are'} {fail_on} or worse: {'; '.join(bad[:_SHOWN])}{rest}"
        fix = "correct the scripts, or silence a finding by // lint: ignore NAME - reason"
        raise ScriptInvalid(what, written="nothing was read or written", fix=fix)
    return _answer(reports)


def _lines(name: str, report: LintReport) -> list[str]:
    """Lines of the log about a script."""
    return [
        f"{name}:{one.line}:{one.column}: {one.severity} {one.name}: {one.message}; fix: {one.fix}"
        for one in report.findings
    ] + [f"{name}: not looked at: {text}" for text in report.unchecked]


def _answer(reports: Mapping[str, LintReport]) -> dict[str, Any]:
    findings = [
        {"script": name, **finding.as_json()}
        for name, report in reports.items()
        for finding in report.findings
    ]
    counts = {
        f"{severity}s": sum(report.count(severity) for report in reports.values()) for severity in Severity
    }
    return {
        "scripts": len(reports),
        **counts,
        "silenced": sum(len(report.silenced) for report in reports.values()),
        "findings": findings[:MAX_FINDINGS],
        "unchecked": {name: list(report.unchecked) for name, report in reports.items() if report.unchecked},
    }
