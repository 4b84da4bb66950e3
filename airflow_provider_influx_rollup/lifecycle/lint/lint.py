"""Lint a script on a server: its syntax, its names and types, its plan, and what it would read. Nothing of it runs over data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError, InfluxRejected
from airflow_provider_influx_rollup.flux.extern import extern_file, window_values
from airflow_provider_influx_rollup.flux.never_run import UNDEFINED, never_run
from airflow_provider_influx_rollup.flux.plan import QueryPlan
from airflow_provider_influx_rollup.flux.points_read import PointsRead
from airflow_provider_influx_rollup.flux.syntax import identifiers_used, string_value
from airflow_provider_influx_rollup.lifecycle.rollup_script.dry_run import (
    EMPTY_TIME,
    NEEDS_ROWS,
    dry_run,
    why_not_planned,
)
from airflow_provider_influx_rollup.lifecycle.rollup_script.gate import reraise_unless_about_the_script
from airflow_provider_influx_rollup.lint.filters import leading_filters
from airflow_provider_influx_rollup.lint.finding import Finding, start_of
from airflow_provider_influx_rollup.lint.pushdown import RawRead, agreeing, raw_reads
from airflow_provider_influx_rollup.lint.report import (
    LintReport,
    read_script,
    static_findings,
    too_deep,
    unreadable_place,
)
from airflow_provider_influx_rollup.lint.rules import (
    NO_RANGE,
    SETS_BOUND_NAME,
    SYNTAX,
    TOO_MANY_POINTS,
)
from airflow_provider_influx_rollup.lint.script import Script, source_of
from airflow_provider_influx_rollup.lint.server_errors import compile_findings, run_finding, syntax_error
from airflow_provider_influx_rollup.rejections import Told, compile_failures, lacks_rows, misses_params
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import ParseScript, Query
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval

_HOUR = Duration.parse("1h")


@dataclass(frozen=True, slots=True, kw_only=True)
class LintSpec:
    """A script and what it will be run with.

    :param flux: its text
    :param params: values of ``params.<name>``; None when there are none
    :param every: length of the windows it runs for, a Flux duration; None: as ``option task`` says
    :param max_points: how many points a raw read may read in the window; None: as many as there are
    """

    flux: str
    params: Mapping[str, Any] | None = None
    every: str | None = None
    max_points: int | None = None

    def __post_init__(self) -> None:
        most: object = self.max_points
        if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 0):
            what = f"max_points={most!r} is not possible"
            raise ConfigurationError(what, fix="give a whole number from 0, or leave it out")

    @property
    def window_period(self) -> Duration | None:
        """``every`` as a duration.

        :raises InvalidDuration: when it is none
        """
        return None if self.every is None else Duration.of(self.every)


def lint_script(spec: LintSpec, window: Interval | None = None) -> Steps[LintReport]:
    """Look at one script.

    :param window: where points are counted for ``max_points``
    :raises InfluxRejected: when the token or the organisation is wrong
    """
    text, every = spec.flux, spec.window_period
    if not text.strip():
        return LintReport.of(text, [SYNTAX.found_at((1, 1), "the script is empty", "write a script")])
    if (finding := too_deep(text)) is not None:
        return LintReport.of(text, [finding])
    try:
        package = yield from ask(ParseScript(text))
    except InfluxRejected as error:
        reraise_unless_about_the_script(error)
        return LintReport.of(text, [syntax_error(error, unreadable_place(text))])
    if unreadable_place(text) is not None:
        # the server's parser lets pass what it cannot compile; such a tree has holes
        failures = yield from _compile(spec)
        if failures:
            return LintReport.of(text, compile_findings(failures))
    script = read_script(package, params=spec.params, every=every)
    if isinstance(script, Finding):
        return LintReport.of(text, [script])
    return (yield from _look(spec, script, window))


def _look(spec: LintSpec, script: Script, window: Interval | None) -> Steps[LintReport]:
    """Look at a script that could be parsed."""
    static = static_findings(script)
    names = {finding.name for finding in static}
    if SETS_BOUND_NAME.name in names:
        unchecked = ["names, types and plan: the script sets what each run binds"]
        return LintReport.of(spec.flux, static, unchecked)
    failures = yield from _compile(spec)
    if spec.params is None and misses_params(failures):
        unchecked = ["names, types and plan: the script reads params, whose values were not given"]
        return LintReport.of(spec.flux, static, unchecked)
    # without a range, InfluxDB would only say so again
    if failures or NO_RANGE.name in names:
        return LintReport.of(spec.flux, [*static, *compile_findings(failures)])
    plan, found, unchecked = yield from _plan(spec, script)
    if plan is not None:
        reads = raw_reads(script, plan)
        static = agreeing(script, static, reads)
        found, unchecked = yield from _count(spec, reads, window)
    return LintReport.of(spec.flux, [*static, *found], unchecked)


def _compile(spec: LintSpec) -> Steps[list[Told]]:
    """Have the server check names and types, in a form that it cannot run."""
    extern = extern_file(v=window_values(EMPTY_TIME, _HOUR), params=spec.params)
    try:
        yield from ask(Query(never_run(spec.flux), extern=extern, now=EMPTY_TIME.stop, as_sent=True))
    except InfluxRejected as error:
        reraise_unless_about_the_script(error)
        failures = compile_failures(error) or [(1, 1, error.what)]
    else:
        what = "the server ran a script that reads an undefined name"
        raise ConfigurationError(what, fix="tell the authors the version of the server")
    lines = len(spec.flux.split("\n"))
    # an error of the own line, or that of a last line which the own one continues
    return [one for one in failures if one[0] <= lines and UNDEFINED not in one[2]]


def _plan(spec: LintSpec, script: Script) -> Steps[tuple[QueryPlan | None, list[Finding], list[str]]]:
    """Have the server plan the script, over a time without data.

    :return: the plan, or what is wrong with the script, or what could not be looked at
    """
    if not script.facts.can_be_planned:
        return None, [], [f"buckets and plan: {why_not_planned(script.facts)}"]
    try:
        return (yield from dry_run(spec.flux, script.every or _HOUR, spec.params)), [], []
    except InfluxRejected as error:
        reraise_unless_about_the_script(error)
        if script.facts.extracts_rows and lacks_rows(error):
            return None, [], [f"plan: {NEEDS_ROWS}"]
        return None, [run_finding(error, script)], []


def _count(
    spec: LintSpec, reads: Sequence[RawRead], window: Interval | None
) -> Steps[tuple[list[Finding], list[str]]]:
    """Count what raw reads would read.

    :return: the reads of too many points, and what could not be counted
    """
    found: list[Finding] = []
    unchecked: list[str] = []
    if spec.max_points is None:
        return found, unchecked
    if window is None:
        return found, ["points: no window was given to count them in"]
    for read in reads:
        query = _points_of(spec.flux, read, window)
        if query is None:
            unchecked.append("points: the bucket or a filter of a raw read is not plain")
            continue
        points = yield from ask(query)
        if points > spec.max_points:
            place = start_of(read.chain[0].call)
            message = f"a raw read of {points:,} points in {window}, where {spec.max_points:,} are allowed"
            fix = "aggregate in the storage engine, filter more, or run shorter windows"
            found.append(TOO_MANY_POINTS.found_at(place, message, fix))
    return found, unchecked


def _points_of(text: str, read: RawRead, window: Interval) -> PointsRead | None:
    """The count of a raw read, None when its source or its filters are not plain."""
    first = read.chain[0]
    bucket = string_value(first.arguments.get("bucket"), first.scope)
    filters = leading_filters(read.chain)
    if bucket is None or any(set(identifiers_used(one.arguments.get("fn"))) - {"r"} for one in filters):
        return None
    return PointsRead(bucket, window, [source_of(text, one.call) for one in filters])
