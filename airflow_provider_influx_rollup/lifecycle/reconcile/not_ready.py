"""Windows of a tier that cannot be judged, because the tier below has not COMMITTED all of their time."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_influx_rollup.flux.ledger_read import ReceiptStates
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.tier_below import read_edge
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

MAX_NAMED = 3


def windows_not_ready(
    spec: RollupSpec, windows: Sequence[Interval], below: Sequence[RollupSpec], stored: Sequence[StoredSpec]
) -> Steps[dict[Interval, str]]:
    """The windows that wait for a tier below, with the reason.

    A tier that names the one below waits for all of its windows. A rollup that reads another one's target by its
    bucket only waits for those that a run has begun and not committed: it is unknown whether there will be others.

    :param windows: in ascending order
    :param below: the pipelines that write the source
    :param stored: the specs of the ledger, the last used first
    """
    if spec.source_tier is not None:
        edge = yield from read_edge(spec, windows, stored)
        lacking = edge.lacking()
        return {
            window: _why(edge.below.name, [cell for cell in lacking if window.covers(cell)])
            for window in edge.missing(windows)
        }
    found: dict[Interval, str] = {}
    for other in below:
        open_starts = yield from _open_windows(other, Interval.spanning(windows))
        for window in windows:
            inside = [cell for cell in open_starts if window.contains(cell.start)]
            if inside:
                found[window] = _why(other.pipeline_name, inside)
    return found


def _open_windows(spec: RollupSpec, interval: Interval) -> Steps[list[Interval]]:
    """Windows of a pipeline that a run has begun and not committed."""
    query = ReceiptStates(spec.ledger_bucket, spec.pipeline_name, ROLLUP, interval)
    grid = spec.grid.grid()
    states = yield from ask(query)
    return [grid.window_at(one.window.start) for one in states if one.state is not State.COMMITTED]


def _why(name: str, cells: Sequence[Interval]) -> str:
    named = few([str(cell) for cell in cells], MAX_NAMED, between=", ")
    return f"windows of pipeline {name!r} are not COMMITTED under its present spec: {named}"
