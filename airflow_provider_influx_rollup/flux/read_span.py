"""From when to when a script reads for a window, as far as its ranges say it plainly."""

from __future__ import annotations

import calendar
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from airflow_provider_influx_rollup.exceptions import InvalidDuration
from airflow_provider_influx_rollup.flux.duration_literal import duration_of
from airflow_provider_influx_rollup.flux.syntax import (
    Node,
    Scope,
    Stage,
    arguments_of,
    function_path,
    resolved,
    unwrapped,
)
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import EPOCH, Interval

_DAY = Duration.parse("1d")
# function -> the argument that is moved, and where to
_MOVES = {
    "date.add": ("to", 1),
    "date.sub": ("from", -1),
    "experimental.addDuration": ("to", 1),
    "experimental.subDuration": ("from", -1),
}
# no bucket has points beyond
_FIRST, _LAST = datetime(1678, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)
# a time that names itself is no time
_MOST_PARTS = 50


@dataclass(frozen=True, slots=True)
class Moment:
    """One bound of a range, reckoned from the window.

    :param is_start: from the window's start; else from its stop, which ``now()`` is
    :param steps: what is done to it, in order: added, ``1`` or ``-1`` times, or cut to whole ones, ``0``
    """

    is_start: bool
    steps: tuple[tuple[int, Duration], ...] = ()

    def then(self, sign: int, length: Duration) -> Moment:
        """This moment after one more step."""
        return replace(self, steps=(*self.steps, (sign, length)))

    def of(self, window: Interval) -> datetime:
        """The time that it is for a window."""
        found = window.start if self.is_start else window.stop
        for sign, length in self.steps:
            try:
                found = _moved(found, sign, length)
            except (OverflowError, ValueError):
                return _FIRST if sign < 1 else _LAST
        return min(max(found, _FIRST), _LAST)


@dataclass(frozen=True, slots=True)
class ReadSpan:
    """Both bounds of a range; None where the script does not show one plainly."""

    start: Moment | None
    stop: Moment | None


@dataclass(frozen=True, slots=True)
class ScriptTime:
    """What a script says of time.

    :param task_every: what ``task.every`` is
    :param is_utc: whether days are those of UTC, since no ``option location`` says otherwise
    """

    task_every: Duration | None = None
    is_utc: bool = True


def read_span(call: Stage, time: ScriptTime) -> ReadSpan:
    """The bounds of one ``range()``, or of another call with a start."""
    stop = call.arguments.get("stop")
    return ReadSpan(
        _moment(call.arguments.get("start"), call.scope, time),
        Moment(is_start=False) if stop is None else _moment(stop, call.scope, time),
    )


def _moment(node: Node | None, scope: Scope, time: ScriptTime, left: int = _MOST_PARTS) -> Moment | None:
    found = resolved(node, scope)
    if found is None or not left:
        return None
    length = _signed_length(found, scope, time)
    if length is not None:
        return Moment(is_start=False).then(*length)
    if found["type"] == "CallExpression":
        return _called(found, scope, time, left - 1)
    bounds = {"timeRangeStart": True, "timeRangeStop": False}
    member = _member_of(found, "v", scope)
    return Moment(is_start=bounds[member]) if member in bounds else None


def _called(node: Node, scope: Scope, time: ScriptTime, left: int) -> Moment | None:
    function = function_path(node["callee"], scope)
    arguments = arguments_of(node)
    now = Moment(is_start=False)
    if function == "now":
        return now
    if function in ("today", "date.truncate") and not (time.is_utc and "location" not in arguments):
        return None
    if function == "today":
        return now.then(0, _DAY)
    if function == "date.truncate":
        moved, sign, by = "t", 0, arguments.get("unit")
    else:
        moved, sign = _MOVES.get(function, ("", 0))
        by = arguments.get("d")
    begin = _moment(arguments.get(moved), scope, time, left)
    length = _signed_length(resolved(by, scope), scope, time)
    if begin is None or length is None:
        return None
    return begin.then(sign * length[0], length[1])


def _signed_length(found: Node | None, scope: Scope, time: ScriptTime) -> tuple[int, Duration] | None:
    """A duration with its sign; None of anything else."""
    if found is None:
        return None
    if found["type"] == "UnaryExpression" and found["operator"] == "-":
        inner = _signed_length(resolved(found["argument"], scope), scope, time)
        return None if inner is None else (-inner[0], inner[1])
    if _member_of(found, "task", scope) == "every":
        return None if time.task_every is None else (1, time.task_every)
    try:
        length = duration_of(found) if found["type"] == "DurationLiteral" else None
    except InvalidDuration:
        return None
    return None if length is None else (1, length)


def _member_of(found: Node, owner: str, scope: Scope) -> str:
    """Name of a member of ``v`` or ``task``, which the script does not set; empty for anything else."""
    if found["type"] != "MemberExpression" or owner in scope.variables:
        return ""
    if unwrapped(found["object"]).get("name") != owner:
        return ""
    return str(found["property"].get("name", found["property"].get("value")))


def _moved(instant: datetime, sign: int, length: Duration) -> datetime:
    """A time after a step, as Flux makes it in UTC."""
    if sign == 0:
        return _cut(instant, length)
    if not length.months:
        return instant + sign * timedelta(microseconds=length.nanoseconds // 1000)
    year, month = divmod(instant.year * 12 + instant.month - 1 + sign * length.months, 12)
    day = min(instant.day, calendar.monthrange(year, month + 1)[1])
    return instant.replace(year=year, month=month + 1, day=day)


def _cut(instant: datetime, unit: Duration) -> datetime:
    if unit.months:
        months = (instant.year * 12 + instant.month - 1 - 1970 * 12) // unit.months * unit.months
        return datetime(1970 + months // 12, months % 12 + 1, 1, tzinfo=UTC)
    length = timedelta(microseconds=unit.nanoseconds // 1000)
    return instant if not length else EPOCH + (instant - EPOCH) // length * length
