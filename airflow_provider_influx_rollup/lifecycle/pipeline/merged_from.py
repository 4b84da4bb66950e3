"""Windows of a tier that were merged before the tier below was committed again."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_influx_rollup.exceptions import ConfigurationError, ReceiptMissing
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptStates
from airflow_provider_influx_rollup.ledger.merged_from import LowerWindows
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.tier_below import find_tier_below
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

CHANGED_BELOW = "the tier below was committed with other rows since"


def read_lower_windows(
    spec: RollupSpec, windows: Sequence[Interval], stored: Sequence[StoredSpec]
) -> Steps[LowerWindows | None]:
    """The last commits of the tier below over some windows; None for a rollup of raw points, or of a tier that is not known.

    :param windows: of the tier, in ascending order, at least one
    :param stored: the specs of the ledger, the last used first
    """
    if spec.source_tier is None:
        return None
    try:
        below = find_tier_below(spec, stored)
    except (ConfigurationError, ReceiptMissing):
        # a run of the window says what is wrong
        return None
    states = yield from ask(ReceiptStates(spec.ledger_bucket, below.name, ROLLUP, Interval.spanning(windows)))
    return LowerWindows.of((one.window.start_ns, one.checksum) for one in states)
