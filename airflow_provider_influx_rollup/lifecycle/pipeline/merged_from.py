"""Windows of a tier that were merged before the tier below was committed again."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_influx_rollup.exceptions import ConfigurationError, ReceiptMissing
from airflow_provider_influx_rollup.flux.ledger_read import ReceiptState, ReceiptStates
from airflow_provider_influx_rollup.ledger.merged_from import LowerWindows
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.stored_spec import StoredSpec
from airflow_provider_influx_rollup.lifecycle.pipeline.tier_below import TierBelow, find_tier_below
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

CHANGED_BELOW = "the tier below was committed with other rows since"
#: of a window whose receipt does not say what it was merged from
REPEATED_BELOW = "the tier below was committed again since, perhaps with other rows"


def known_tier_below(spec: RollupSpec, stored: Sequence[StoredSpec]) -> TierBelow | None:
    """The tier below; None for a rollup of raw points, or of a tier that is not known."""
    if spec.source_tier is None:
        return None
    try:
        return find_tier_below(spec, stored)
    except (ConfigurationError, ReceiptMissing):
        # a run of the window says what is wrong
        return None


def read_lower_windows(
    spec: RollupSpec, windows: Sequence[Interval], stored: Sequence[StoredSpec]
) -> Steps[LowerWindows | None]:
    """The last commits of the tier below over some windows; None for a rollup of raw points, or of a tier that is not known.

    :param windows: of the tier, in ascending order, at least one
    :param stored: the specs of the ledger, the last used first
    """
    below = known_tier_below(spec, stored)
    return None if below is None else (yield from read_windows_of(spec.ledger_bucket, below.name, windows))


def read_windows_of(ledger_bucket: str, tier: str, windows: Sequence[Interval]) -> Steps[LowerWindows]:
    """The last commits of a tier.

    :param windows: of the tier above, in ascending order, at least one
    """
    states = yield from ask(ReceiptStates(ledger_bucket, tier, ROLLUP, Interval.spanning(windows)))
    return LowerWindows.of(map(commit_of, states))


def commit_of(state: ReceiptState) -> tuple[int, int, str]:
    """Start, time of the commit and checksum of a window of the tier below."""
    committed_ns = state.written_at_ns if state.state is State.COMMITTED else 0
    return state.window.start_ns, committed_ns, state.checksum
