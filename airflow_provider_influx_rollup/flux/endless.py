"""Calls of a script that the server would never finish before 1970; ``flux/whole_range.py`` says why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_influx_rollup.exceptions import ScriptInvalid
from airflow_provider_influx_rollup.flux.extern import parameter_node
from airflow_provider_influx_rollup.flux.reach import reach_of
from airflow_provider_influx_rollup.flux.syntax import Stage, pipelines, script_body, script_scope, stages
from airflow_provider_influx_rollup.windows.interval import EPOCH, Interval

BARE = frozenset({"count", "sum", "mean"})


def endless_calls(package: Mapping[str, Any], params: Mapping[str, object] | None = None) -> list[Stage]:
    """The aggregates that come right after ``range()`` and ``filter()``, where the range ends with the window.

    :param package: the server's answer to a parse request
    :param params: the values of ``params.<name>``
    """
    own = script_scope(package)
    scope = own if params is None else own.with_arguments({"params": parameter_node(params)})
    chains = (stages(pipeline, scope) for pipeline in pipelines(script_body(package)))
    found = (_bare_call(chain) for chain in chains)
    return [call for call in found if call is not None]


def _bare_call(chain: Sequence[Stage]) -> Stage | None:
    after_range = _after_range(chain)
    if after_range is None:
        return None
    rest = [stage for stage in after_range if stage.function != "filter"]
    return rest[0] if rest and rest[0].function in BARE else None


def _after_range(chain: Iterable[Stage]) -> list[Stage] | None:
    """The calls after the first ``range()``; None when its stop does not move with the window."""
    rest = iter(chain)
    for stage in rest:
        if stage.function == "range":
            stop = stage.arguments.get("stop")
            # without one it is now(), which is the window's stop
            moves = stop is None or reach_of(stop, stage.scope) in ("window", "now")
            return list(rest) if moves else None
    return None


def refuse_endless(package: Mapping[str, Any], params: Mapping[str, object] | None, window: Interval) -> None:
    """Refuse a bare aggregate of a window that ends by 1970.

    :param package: the script, parsed
    :param params: the values of ``params.<name>``
    :raises ScriptInvalid: naming the line
    """
    if window.stop > EPOCH:
        return
    for call in endless_calls(package, params):
        what = f"InfluxDB never ends a bare {call.short_name}() of a range that ends by 1970, as on line {call.line}"
        fix = f"put a window or a group before it, such as aggregateWindow(every: 1h, fn: {call.short_name})"
        raise ScriptInvalid(what, window=window, written="nothing was read or written", fix=fix)
