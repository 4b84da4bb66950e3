"""Windows of a tier that wait for the tier below: each on its own, so that the others need not wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from airflow_provider_influx_rollup.exceptions import ReceiptMissing
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.tier_below import TierBelow, not_committed, read_edge
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.nesting import cells_below


@dataclass(frozen=True, slots=True)
class WaitingWindows:
    """Windows that wait for a tier below.

    :param windows: the windows that cannot start, each with the reason
    :param as_one: one error for all of them; None when none waits
    """

    windows: Mapping[Interval, ReceiptMissing] = field(default_factory=dict)
    as_one: ReceiptMissing | None = None


def waiting_below(
    spec: RollupSpec, windows: Sequence[Interval], stored: Sequence[StoredSpec]
) -> Steps[tuple[TierBelow | None, WaitingWindows]]:
    """Look at the tier below, if there is one.

    :param windows: of the tier, in ascending order
    :param stored: the specs of the ledger, the last used first
    :raises InfluxRollupError: as ``read_edge``
    """
    if spec.source_tier is None:
        return None, WaitingWindows()
    edge = yield from read_edge(spec, windows, stored)
    late = edge.missing(windows)
    if not late:
        return edge.below, WaitingWindows()
    grid = edge.below.spec.grid.grid()
    each = {
        window: not_committed(spec, replace(edge, cells=tuple(cells_below(grid, window))), [window])
        for window in late
    }
    return edge.below, WaitingWindows(each, not_committed(spec, edge, late))
