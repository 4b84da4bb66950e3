"""Judge a user's script before it runs: read its syntax tree, then run it over a time without any data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from airflow_provider_influx_rollup.exceptions import (
    ConfigurationError,
    InfluxForbidden,
    InfluxRejected,
    InfluxUnauthorized,
    OrgNotFound,
    PlanNotPushedDown,
    ScriptError,
    ScriptInvalid,
    ScriptUnbounded,
)
from airflow_provider_influx_rollup.flux.endless import refuse_endless
from airflow_provider_influx_rollup.flux.plan import QueryPlan, describe_raw_reads
from airflow_provider_influx_rollup.flux.script import ScriptFacts, script_facts
from airflow_provider_influx_rollup.lifecycle.rollup_script.dry_run import (
    NEEDS_ROWS,
    dry_run,
    sets_v,
    why_not_planned,
)
from airflow_provider_influx_rollup.lint.depth import FLATTER, TOO_DEEP, is_too_deep
from airflow_provider_influx_rollup.rejections import cure_of_script, is_unbounded, lacks_rows
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import ParseScript, Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_influx_rollup.windows.duration import Duration

OnRawRead = Literal["fail", "warn", "allow"]

NOTHING_WRITTEN = "nothing was read or written"


@dataclass(frozen=True, slots=True)
class ScriptVerdict:
    """A script that may run.

    :param facts: what its syntax tree says
    :param plan: its plan; None when it could not be planned without running it (a warning says why)
    :param warnings: what people should know, one sentence each
    """

    facts: ScriptFacts
    plan: QueryPlan | None
    warnings: tuple[str, ...]


def plan_gate(
    script: str,
    *,
    window: Interval,
    window_period: Duration,
    params: Mapping[str, object] | None = None,
    target_bucket: str | None = None,
    on_raw_read: OnRawRead = "warn",
    allow_fixed_ranges: bool = False,
    is_native: bool = False,
) -> Steps[ScriptVerdict]:
    """Check that a script can run for a window, without reading or writing a point.

    :param script: Flux text, after Jinja
    :param window: the window it will run for, for messages
    :param window_period: what ``v.windowPeriod`` will be
    :param params: the values of ``params.<name>``; None when there are none
    :param target_bucket: the bucket it is meant to write into
    :param on_raw_read: what to do when the storage engine hands out raw points: fail, warn or allow
    :param allow_fixed_ranges: accept ranges that do not follow the window; such a script is not planned
    :param is_native: InfluxDB's scheduler will run it; it may set its own ``v``, and is not planned then
    :return: the verdict; each of its warnings is reported too
    :raises ScriptInvalid: when the server cannot compile it or would never end it, or a write would miss a column
    :raises ScriptUnbounded: when it reads without a range, or one that does not follow the window
    :raises PlanNotPushedDown: when it reads raw points and ``on_raw_read`` is ``"fail"``
    :raises ConfigurationError: when it writes into a bucket that it reads, or a parameter has no Flux type
    """
    facts = yield from _facts(script, params, window)
    _refuse_conflicts(facts, params, window, is_native=is_native)
    _refuse_buckets(facts, target_bucket, window)
    _refuse_lost_columns(facts, window)
    _refuse_ranges(facts, allow_fixed_ranges, window)
    warnings = [*_fact_warnings(facts, is_native=is_native)]
    plan = None
    if facts.can_be_planned and not sets_v(facts):
        try:
            plan = yield from _planned(script, window_period, params, window)
        except ScriptInvalid as error:
            if not facts.extracts_rows or not lacks_rows(error):
                raise
            warnings.append(f"the plan was not checked: {NEEDS_ROWS}")
    else:
        warnings.append(f"the plan was not checked: {why_not_planned(facts)}")
    if plan is not None and not plan.is_pushed_down:
        warnings += _judge_raw_reads(plan, facts, on_raw_read, window)
    for warning in warnings:
        yield from ask(Report(warning, level="warning"))
    return ScriptVerdict(facts, plan, tuple(warnings))


def _facts(script: str, params: Mapping[str, object] | None, window: Interval) -> Steps[ScriptFacts]:
    """Have the server parse the script, and read its facts."""
    if not script.strip():
        what = "the Flux script is empty"
        raise ScriptInvalid(what, window=window, written=NOTHING_WRITTEN, fix="give a script")
    if is_too_deep(script):
        raise _too_deep(window)
    try:
        package = yield from ask(ParseScript(script))
    except InfluxRejected as error:
        reraise_unless_about_the_script(error)
        raise _script_error(error, window) from error
    try:
        refuse_endless(package, params, window)
        return script_facts(package, params)
    except RecursionError as error:
        raise _too_deep(window) from error


def _too_deep(window: Interval) -> ScriptInvalid:
    return ScriptInvalid(f"the script's {TOO_DEEP}", window=window, written=NOTHING_WRITTEN, fix=FLATTER)


def _planned(
    script: str, window_period: Duration, params: Mapping[str, object] | None, window: Interval
) -> Steps[QueryPlan | None]:
    """Run the script where there is no data, and return its plan."""
    try:
        return (yield from dry_run(script, window_period, params))
    except InfluxRejected as error:
        reraise_unless_about_the_script(error)
        raise _script_error(error, window) from error


def reraise_unless_about_the_script(error: InfluxRejected) -> None:
    """Let errors out that no other script would mend."""
    if isinstance(error, InfluxUnauthorized | InfluxForbidden | OrgNotFound):
        raise error


def _script_error(error: InfluxRejected, window: Interval) -> ScriptError:
    """Translate what the server said into an error that says what to change."""
    if is_unbounded(error):
        fix = "add |> range(start: v.timeRangeStart, stop: v.timeRangeStop) after from()"
        what = f"the script reads without a time range: {error.what}"
        return ScriptUnbounded(what, window=window, written=NOTHING_WRITTEN, fix=fix)
    what = f"InfluxDB refuses the script: {error.what}"
    return ScriptInvalid(what, window=window, written=NOTHING_WRITTEN, fix=cure_of_script(error))


def _refuse_conflicts(
    facts: ScriptFacts, params: Mapping[str, object] | None, window: Interval, *, is_native: bool
) -> None:
    """Refuse a script that sets what the run binds.

    :raises ScriptInvalid: with the name
    """
    own = facts.options | facts.top_names
    # a task of InfluxDB may set its window itself
    bound = [] if is_native else ["v", "now", "profiler.enabledProfilers"]
    for name in [*bound, *([] if params is None else ["params"])]:
        if name in own:
            what = f"the script sets {name} itself, but each run binds it to its own window"
            fix = f"remove the line that sets {name}"
            if name == "params":
                what = "the script sets params itself, but params_flux is bound to that name"
                fix = "remove it from the script, or leave params_flux out"
            raise ScriptInvalid(what, window=window, written=NOTHING_WRITTEN, fix=fix)


def _refuse_buckets(facts: ScriptFacts, target_bucket: str | None, window: Interval) -> None:
    """Refuse a target that is also a source, and a script that writes elsewhere.

    :raises ConfigurationError: with the bucket
    """
    targets = {*facts.buckets_written, *([target_bucket] if target_bucket else [])}
    for bucket in facts.buckets_read:
        if bucket in targets:
            raise own_target(bucket, window)
    elsewhere = [bucket for bucket in facts.buckets_written if target_bucket and bucket != target_bucket]
    if elsewhere:
        what = f"the script writes into {elsewhere[0]!r}, but target_bucket is {target_bucket!r}"
        raise ConfigurationError(what, window=window, written=NOTHING_WRITTEN, fix="make the two names equal")


def own_target(bucket: str, window: Interval) -> ConfigurationError:
    """The error of a script whose target is a source of it."""
    what = f"the script reads from and writes into the bucket {bucket!r}"
    fix = "write into another bucket, or the next run would aggregate its own results"
    return ConfigurationError(what, window=window, written=NOTHING_WRITTEN, fix=fix)


def _refuse_lost_columns(facts: ScriptFacts, window: Interval) -> None:
    """Refuse a script whose write would miss a column; the server notices only when rows arrive.

    :raises ScriptInvalid: with both lines
    """
    if not facts.lost_columns:
        return
    loss = facts.lost_columns[0]
    raise ScriptInvalid(loss.message, window=window, written=NOTHING_WRITTEN, fix=loss.fix)


def _refuse_ranges(facts: ScriptFacts, allow_fixed_ranges: bool, window: Interval) -> None:
    """Refuse ranges that are not those of the window.

    :raises ScriptUnbounded: with the line
    """
    if facts.unbounded_reads and not facts.ranges:
        what = f"the script reads the bucket {facts.unbounded_reads[0]!r} without range()"
        fix = "add |> range(start: v.timeRangeStart, stop: v.timeRangeStop) after from()"
        raise ScriptUnbounded(what, window=window, written=NOTHING_WRITTEN, fix=fix)
    strays = [one for one in facts.ranges if not one.follows_window]
    if strays and not allow_fixed_ranges:
        what = f"the range on line {strays[0].line} does not follow the window that is run"
        fix = "use v.timeRangeStart and v.timeRangeStop: each run binds them to its own window"
        raise ScriptUnbounded(what, window=window, written=NOTHING_WRITTEN, fix=fix)


def _fact_warnings(facts: ScriptFacts, *, is_native: bool) -> list[str]:
    """Return what the syntax tree shows to be slow or surprising."""
    warnings = [
        f"several pipelines share the variable {name}, so nothing is pushed down: make it a function, {name} = () => ..."
        for name in facts.shared_variables
    ]
    if facts.task is not None and facts.task.cron is not None and not is_native:
        warnings.append(
            "the cron of option task is not used: the DAG's schedule decides; only name and offset are"
        )
    return warnings


def _judge_raw_reads(plan: QueryPlan, facts: ScriptFacts, choice: OnRawRead, window: Interval) -> list[str]:
    """Return warnings about raw reads.

    :raises PlanNotPushedDown: when the choice is to fail
    """
    if choice == "allow":
        return []
    what = f"the script reads raw points instead of aggregates ({describe_raw_reads(plan)})"
    if choice == "warn":
        return [what]
    fix = "aggregate directly after range() and filter(); filter only by ==, !=, =~, !~ on tags"
    if facts.shared_variables:
        fix = f"make the variable {facts.shared_variables[0]} a function, so that each pipeline has its own from()"
    raise PlanNotPushedDown(what, window=window, written=NOTHING_WRITTEN, fix=fix)
