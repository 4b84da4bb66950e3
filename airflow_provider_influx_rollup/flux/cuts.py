"""Where ``aggregateWindow()`` of a script cuts time, which counts from 1970 in UTC and knows nothing of the run's windows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from airflow_provider_influx_rollup.exceptions import InvalidDuration
from airflow_provider_influx_rollup.flux.duration_literal import duration_of
from airflow_provider_influx_rollup.flux.syntax import Node, Stage, resolved
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval, from_ns, to_ns

_WINDOWING = frozenset({"aggregateWindow", "window", "experimental.window"})
# they move the cuts, or say where they are
_MOVED_BY = frozenset({"offset", "location", "period"})
# a century: no window is so long, and cuts of millennia lie outside of the years 1 to 9999
_LONGEST_MONTHS = 1200


@dataclass(frozen=True, slots=True)
class TimeCut:
    """One call that cuts time where nothing but its length decides.

    :param function: the name of the function
    :param every: distance of the cuts; None: ``v.windowPeriod``
    :param line: line number in the script
    """

    function: str
    every: Duration | None
    line: int

    def inside(self, window: Interval, window_period: Duration) -> datetime | None:
        """Where it cuts a window that does not begin or end with one of its own; None where it does not.

        :param window_period: what ``v.windowPeriod`` is
        """
        every = self.every or window_period
        cut = _next_cut(window.start, every)
        if cut >= window.stop or (_is_cut(window.start, every) and _is_cut(window.stop, every)):
            return None
        return cut


def time_cuts(calls: Iterable[Stage]) -> tuple[TimeCut, ...]:
    """The cuts of a script whose lengths it shows plainly.

    :param calls: all its calls
    """
    found: list[TimeCut] = []
    for call in calls:
        if call.function not in _WINDOWING or _MOVED_BY & {*call.arguments}:
            continue
        node = resolved(call.arguments.get("every"), call.scope)
        if node is None:
            continue
        every = _length(node)
        if every is not None or _is_window_period(node):
            found.append(TimeCut(call.short_name, every, call.line))
    return tuple(dict.fromkeys(found))


def _length(node: Node) -> Duration | None:
    """The length of a literal; None of anything else, and of one that cuts no window."""
    try:
        found = duration_of(node) if node["type"] == "DurationLiteral" else None
    except InvalidDuration:
        return None
    return None if found is None or found.is_zero or found.months > _LONGEST_MONTHS else found


def _is_window_period(node: Node) -> bool:
    if node["type"] != "MemberExpression" or node["object"].get("name") != "v":
        return False
    member = node["property"]
    return bool(member.get("name", member.get("value")) == "windowPeriod")


def _is_cut(instant: datetime, every: Duration) -> bool:
    return _last_cut(instant, every) == instant


def _last_cut(instant: datetime, every: Duration, later: int = 0) -> datetime:
    """The last cut at or before an instant, or one of those after it.

    :param later: how many cuts after it
    """
    if not every.months:
        length = every.nanoseconds
        return from_ns((to_ns(instant) // length + later) * length)
    months = (instant.year * 12 + instant.month - 1 - 1970 * 12) // every.months * every.months
    month = 1970 * 12 + months + later * every.months
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)


def _next_cut(instant: datetime, every: Duration) -> datetime:
    return _last_cut(instant, every, 1)
