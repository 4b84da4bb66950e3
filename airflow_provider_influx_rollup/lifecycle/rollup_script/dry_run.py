"""Run a script over a time without any data, to see its plan and its errors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from airflow_provider_influx_rollup.flux.extern import window_values
from airflow_provider_influx_rollup.flux.plan import QueryPlan, plan_extern, read_plan
from airflow_provider_influx_rollup.flux.script import ScriptFacts
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Query
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import MICROSECOND, Interval

# before any telemetry, and so far after 1677, where 64 bits of nanoseconds begin, that -100y still fits
_EMPTY_START = datetime(1800, 1, 1, tzinfo=UTC)
EMPTY_TIME = Interval(_EMPTY_START, _EMPTY_START + MICROSECOND)

NEEDS_ROWS = "the script takes values out of tables, which needs rows"


def dry_run(
    script: str, window_period: Duration, params: Mapping[str, object] | None
) -> Steps[QueryPlan | None]:
    """Run a script that can be planned, and return its plan.

    :param window_period: what ``v.windowPeriod`` will be
    :param params: the values of ``params.<name>``
    :raises InfluxRejected: what the server says of it
    """
    extern = plan_extern(window_values(EMPTY_TIME, window_period), params)
    rows = yield from ask(Query(script, extern=extern, now=EMPTY_TIME.stop, as_sent=True))
    return read_plan(rows)


def sets_v(facts: ScriptFacts) -> bool:
    """Whether the script has a ``v`` of its own."""
    return "v" in facts.options | facts.top_names


def why_not_planned(facts: ScriptFacts) -> str:
    """Reason why a run over an empty time range might have effects."""
    if facts.outside_imports:
        return f"the script imports {facts.outside_imports[0]}, which may act outside of the window"
    if facts.makes_rows:
        return "the script makes rows itself"
    if sets_v(facts):
        return "the script sets v itself"
    return "a range does not follow the window"
