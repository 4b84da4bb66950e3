"""Metrics of what a stage has done, through Airflow's own; their names hold the verb only, so that they stay few."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_influx_rollup.airflow_compat import Stats

PREFIX = "influx_rollup"
#: counters, by the name that a result gives the number
COUNTERS = {
    "windows": "windows",
    "rows": "rows",
    "rows_in": "rows_in",
    "rows_out": "rows_out",
    "bytes": "bytes",
    "healed": "healed",
    "dirty_total": "dirty",
    "runs": "runs",
    "errors": "errors",
    "missed": "missed",
}
#: of the requests to InfluxDB
COUNTED_REQUESTS = ("requests", "retries", "bytes_sent", "bytes_received")
QUERY_MEMORY = "query_memory_bytes"
#: timers, of lists of seconds
TIMERS = {"run_seconds": "run_duration"}
#: of a pipeline, which is their tag: StatsD without tags has one for all of them, which tells the last one
GAUGES = ("lag", "pending")


def tell_result(verb: str, result: Mapping[str, Any], *, is_dry_run: bool, lateness: timedelta) -> None:
    """Count what a stage has done, and tell how far behind its windows are.

    :param verb: name of the stage in metrics
    :param result: its small JSON result
    :param is_dry_run: then nothing was done, and nothing is told
    :param lateness: how long after its stop a window is ready
    """
    if is_dry_run:
        return
    for key, name in COUNTERS.items():
        count = result.get(key)
        if isinstance(count, int) and not isinstance(count, bool) and count > 0:
            Stats.incr(f"{PREFIX}.{verb}.{name}", count)
    for key, name in TIMERS.items():
        for seconds in result.get(key) or ():
            Stats.timing(f"{PREFIX}.{verb}.{name}", timedelta(seconds=seconds))
    if result.get("state") == "COMMITTED" and isinstance(result.get("window"), Mapping):
        stop = datetime.fromisoformat(str(result["window"]["stop"]))
        behind = datetime.now(UTC) - stop
        Stats.timing(f"{PREFIX}.{verb}.ready_to_success", max(behind - lateness, timedelta(0)))
        values = (behind.total_seconds(), len(result.get("left") or ()))
        for name, value in zip(GAUGES, values, strict=True):
            Stats.gauge(f"{PREFIX}.{verb}.{name}", value, tags={"pipeline": str(result.get("pipeline", ""))})


def tell_requests(verb: str, requests: Mapping[str, int]) -> None:
    """Count what a stage has asked of InfluxDB.

    :param verb: name of the stage in metrics
    :param requests: counts by the names of metrics
    """
    for name in COUNTED_REQUESTS:
        if requests.get(name):
            Stats.incr(f"{PREFIX}.{verb}.{name}", requests[name])
    if requests.get(QUERY_MEMORY):
        Stats.gauge(f"{PREFIX}.{verb}.{QUERY_MEMORY}", requests[QUERY_MEMORY])
