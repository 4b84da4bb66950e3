"""Users' scripts that would make the server run away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_influx_rollup.exceptions import ScriptInvalid
from airflow_provider_influx_rollup.flux.endless import endless_calls
from airflow_provider_influx_rollup.windows.interval import EPOCH, Interval


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
