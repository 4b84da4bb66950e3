"""Rules about the time that a script reads, and the windows it cuts that into."""

from __future__ import annotations

import re
from collections.abc import Iterator

from airflow_provider_influx_rollup.exceptions import InvalidDuration
from airflow_provider_influx_rollup.flux.duration_literal import duration_of
from airflow_provider_influx_rollup.flux.reach import reach_of
from airflow_provider_influx_rollup.flux.syntax import (
    Node,
    Scope,
    Stage,
    arguments_of,
    function_path,
    resolved,
    string_value,
    unwrapped,
    walk,
)
from airflow_provider_influx_rollup.lint.finding import Finding
from airflow_provider_influx_rollup.lint.rules import (
    FIXED_RANGE,
    NO_RANGE,
    SEMANTICS,
    UNBOUNDED_RANGE,
    WALL_CLOCK_RANGE,
    WINDOW_ALIGNMENT,
)
from airflow_provider_influx_rollup.lint.script import Chain, Script
from airflow_provider_influx_rollup.windows.duration import Duration

_WINDOW_RANGE = "range(start: v.timeRangeStart, stop: v.timeRangeStop)"
_RANGES = frozenset({"range", "experimental/query.fromRange", "experimental/query.inBucket"})
# none of them bounds a read; what is not here may
_NO_RANGES = frozenset(
    """aggregateWindow bottom columns count cumulativeSum derivative difference distinct drop duplicate elapsed fill filter
    first group increase integral keep keys last limit map max mean median min mode movingAverage pivot quantile reduce rename
    set skew sort spread stateCount stateDuration stddev sum tail timeShift to toBool toFloat toInt toString toTime toUInt top
    truncateTimeColumn unique window yield influxdata/influxdb.to influxdata/influxdb.wideTo""".split()  # noqa: SIM905
)
_MONTHS_OF_ALL_TIME = 12 * 20
_DAY_NS = 86_400 * 10**9
# a week begins where the DAG says
_WEEK_NS = 7 * _DAY_NS


def unbounded(script: Script) -> Iterator[Finding]:
    """Reads without a range, which InfluxDB refuses."""
    for chain in script.reads:
        if all(stage.function in _NO_RANGES for stage in chain[1:]):
            bucket = string_value(chain[0].arguments.get("bucket"), chain[0].scope)
            what = f"the bucket {bucket!r} is read" if bucket else "a bucket is read"
            head = _head(chain, script)
            yield NO_RANGE.found(head, f"{what} without range()", f"add |> {_WINDOW_RANGE} after from()")


def _head(chain: Chain, script: Script) -> Node:
    """Where a pipeline begins: its read, or the call of the function that another pipeline gives a range."""
    read = chain[0].call
    is_bounded_elsewhere = any(other[0].call is read and _is_bounded(other) for other in script.reads)
    return chain[0].caller if is_bounded_elsewhere else read


def _is_bounded(chain: Chain) -> bool:
    return any(stage.function in _RANGES for stage in chain)


def all_time(script: Script) -> Iterator[Finding]:
    """Reads from the beginning of time, by a script that only reads; what runs for windows has rules of its own."""
    if script.runs_for_windows:
        return
    for chain in script.reads:
        # the storage engine finds these without reading the rest
        if any(stage.function in ("first", "last", "limit") for stage in chain):
            continue
        for stage in chain:
            if stage.function in _RANGES and _is_long_ago(stage.arguments.get("start"), stage.scope):
                message = f"{stage.short_name}() reads all that the bucket ever held"
                yield UNBOUNDED_RANGE.found(stage.call, message, f"write {_WINDOW_RANGE}, or a later start")


def not_the_window(script: Script) -> Iterator[Finding]:
    """Ranges of a script that runs for windows, which are not those windows."""
    if not script.runs_for_windows:
        return
    for stage in _ranges(script):
        start, stop = (stage.arguments.get(name) for name in ("start", "stop"))
        reaches = {reach_of(start, stage.scope)} | (
            {reach_of(stop, stage.scope)} if stop is not None else set()
        )
        if "fixed" in reaches:
            message = f"{stage.short_name}() reads a fixed time, the same in each run"
            yield FIXED_RANGE.found(stage.call, message, f"write {_WINDOW_RANGE}")
        elif any(_reads_the_clock(one, stage.scope) for one in (start, stop)):
            message = f"{stage.short_name}() follows system.time(), which is the clock of the server and not the time of the run"
            yield WALL_CLOCK_RANGE.found(stage.call, message, "write now(), or " + _WINDOW_RANGE)
        elif _begins_a_part(start, stop, stage.scope):
            message = f"{stage.short_name}() begins where the hour or the day of the run does, so that no run reads the end of one"
            fix = f"write {_WINDOW_RANGE}, or cut the stop too"
            yield WALL_CLOCK_RANGE.found(stage.call, message, fix)
        elif (start is not None and _counts_from_the_clock(start, stage.scope, script.every)) or (
            stop is not None and _before_now(stop, stage.scope, script.every) is not None
        ):
            message = f"{stage.short_name}() counts from the time of the run, not from its window"
            yield WALL_CLOCK_RANGE.found(
                stage.call, message, f"write {_WINDOW_RANGE}, or start: -task.every for the last window"
            )


def cut_windows(script: Script) -> Iterator[Finding]:
    """Windows of aggregateWindow() and window() that are only partly inside of the range."""
    for chain in script.reads:
        length = _range_length(chain, script.every)
        if length is None:
            continue
        for stage in chain:
            if stage.function in ("aggregateWindow", "window") and "location" not in stage.arguments:
                yield from _cut_by(stage, length, script.every)


def _cut_by(stage: Stage, length: Duration, every: Duration | None) -> Iterator[Finding]:
    window = _duration(stage.arguments.get("every"), stage.scope)
    if window is None:
        return
    fix = "choose windows that fit a whole number of times, or change every of option task"
    for what, span in (("the range of", length), ("runs every", every)):
        if span is not None and not _fits(window, span):
            message = (
                f"windows of {window} do not fit into {what} {span}, so that the first or last one is partial"
            )
            yield WINDOW_ALIGNMENT.found(stage.call, message, fix)
            return
    period = _duration(stage.arguments.get("period"), stage.scope)
    if period is not None and period != window:
        message = f"windows are {period} long and begin every {window}, so that the range cuts the first or last ones"
        yield WINDOW_ALIGNMENT.found(stage.call, message, "leave period out, or use a sliding rollup")
        return
    offset = _duration(stage.arguments.get("offset"), stage.scope)
    if offset is not None and _shifts(window, offset):
        message = f"the offset {offset} moves windows of {window} across the ends of the range"
        fix = "leave the offset out, or move the range by the same time"
        yield WINDOW_ALIGNMENT.found(stage.call, message, fix)


def _fits(window: Duration, span: Duration) -> bool:
    """Whether a span holds whole windows only, when both begin together."""
    if window.months:
        return bool(span.months) and span.months % window.months == 0
    if span.months:
        return bool(window.nanoseconds) and _DAY_NS % window.nanoseconds == 0
    return bool(window.nanoseconds) and span.nanoseconds % window.nanoseconds == 0


def _shifts(window: Duration, offset: Duration) -> bool:
    is_known = 0 < window.nanoseconds < _WEEK_NS and not offset.months
    return is_known and offset.nanoseconds % window.nanoseconds != 0


def _range_length(chain: Chain, every: Duration | None) -> Duration | None:
    """Length of the range of a read, None when it is not plain."""
    ranges = [stage for stage in chain if stage.function == "range"]
    if len(ranges) != 1:
        return None
    start, stop = (ranges[0].arguments.get(name) for name in ("start", "stop"))
    scope = ranges[0].scope
    if start is None or (stop is not None and not (_is_window(stop) or _is_now(stop, scope))):
        return None
    return every if _is_window(start) else _before_now(start, scope, every)


def _counts_from_the_clock(start: Node, scope: Scope, every: Duration | None) -> bool:
    """Whether a start depends on when the script runs, and not only on its window."""
    if reach_of(start, scope) not in ("now", "unknown") or _truncates(start, scope):
        return False
    before = _before_now(start, scope, every)
    if before is None:
        # unknown names may be anything
        return reach_of(start, scope) == "now" and not _names_the_task(start, scope)
    return before != every


def _before_now(start: Node, scope: Scope, every: Duration | None) -> Duration | None:
    """The duration of ``-1h`` or ``-task.every``, None for anything else."""
    found = resolved(start, scope)
    if found is None or found["type"] != "UnaryExpression" or found["operator"] != "-":
        return None
    argument = unwrapped(found["argument"])
    return every if _is_task_every(argument) else _duration(argument, scope)


def _reads_the_clock(node: Node | None, scope: Scope) -> bool:
    """Whether a time is the server's own: in a run that is late or repeated, another one than the schedule's."""
    return node is not None and "system.time" in _functions(node, scope)


def _begins_a_part(start: Node | None, stop: Node | None, scope: Scope) -> bool:
    """Whether a range is from the beginning of an hour or a day to now: nothing, when the run ends with that day."""
    if stop is not None and not (_is_now(stop, scope) or _is_window_stop(stop)):
        return False
    found = resolved(start, scope)
    if found is None or found["type"] != "CallExpression":
        return False
    function = function_path(found["callee"], scope)
    cut = arguments_of(found).get("t")
    return function == "today" or (function == "date.truncate" and cut is not None and _is_now(cut, scope))


def _is_long_ago(start: Node | None, scope: Scope) -> bool:
    """Whether a start is so early that no telemetry is older."""
    found = resolved(start, scope)
    if found is None:
        return False
    if found["type"] == "CallExpression" and function_path(found["callee"], scope) == "time":
        found = resolved(arguments_of(found).get("v"), scope) or found
    if found["type"] in ("IntegerLiteral", "DateTimeLiteral", "StringLiteral"):
        text = str(found["value"])
        return text == "0" or re.match(r"19[0-7]\d-", text) is not None
    before = _before_now(found, scope, None)
    return before is not None and before.months >= _MONTHS_OF_ALL_TIME


def _truncates(node: Node, scope: Scope) -> bool:
    """Whether a time is cut to the beginning of an hour or a day."""
    return not {"date.truncate", "today"}.isdisjoint(_functions(node, scope))


def _functions(node: Node, scope: Scope) -> set[str]:
    """The functions that an expression calls, or its variables do."""
    calls = (one for one in _parts(node, scope) if one["type"] == "CallExpression")
    return {function_path(call["callee"], scope) for call in calls}


def _names_the_task(node: Node, scope: Scope) -> bool:
    return any(_is_task_every(one) for one in _parts(node, scope))


def _parts(node: Node, scope: Scope) -> Iterator[Node]:
    """The nodes of an expression, and of what its variables hold, each variable once."""
    waiting, followed = [resolved(node, scope)], set[str]()
    while waiting:
        for one in walk(waiting.pop()):
            yield one
            if one["type"] == "Identifier" and one["name"] not in followed:
                followed.add(one["name"])
                waiting.append(scope.variables.get(one["name"]))


def _is_task_every(node: Node) -> bool:
    return _is_member(node, "task", {"every"})


def _is_window(node: Node) -> bool:
    return _is_member(unwrapped(node), "v", {"timeRangeStart", "timeRangeStop"})


def _is_window_stop(node: Node) -> bool:
    return _is_member(unwrapped(node), "v", {"timeRangeStop"})


def _is_member(node: Node, owner: str, names: set[str]) -> bool:
    return (
        node["type"] == "MemberExpression"
        and node["object"].get("name") == owner
        and node["property"].get("name") in names
    )


def _is_now(node: Node, scope: Scope) -> bool:
    found = resolved(node, scope)
    return (
        found is not None
        and found["type"] == "CallExpression"
        and function_path(found["callee"], scope) == "now"
    )


def _duration(node: Node | None, scope: Scope) -> Duration | None:
    """The duration of a literal, None for anything else, or when it has none that is possible."""
    found = resolved(node, scope)
    if found is None or found["type"] != "DurationLiteral":
        return None
    try:
        return duration_of(found)
    except InvalidDuration:
        return None


def impossible_durations(script: Script) -> Iterator[Finding]:
    """Durations that are longer than InfluxDB can count."""
    for node in walk(list(script.body)):
        if node["type"] == "DurationLiteral":
            try:
                duration_of(node)
            except InvalidDuration as error:
                yield SEMANTICS.found(node, error.what, error.fix or "write a shorter one")


def _ranges(script: Script) -> Iterator[Stage]:
    seen: set[int] = set()
    for chain in script.chains:
        for stage in chain:
            if stage.function in _RANGES and id(stage.call) not in seen:
                seen.add(id(stage.call))
                yield stage
