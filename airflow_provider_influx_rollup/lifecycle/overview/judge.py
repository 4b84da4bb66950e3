"""The state of each window of a pipeline, judged by columns; the rules are those of coverage for one pipeline alone.

What a tier was merged from only coverage knows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.ledger.text_columns import TextColumn
from airflow_provider_influx_rollup.lifecycle.overview.page_state import CODES, PageState
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.source.retention import horizon, is_too_old
from airflow_provider_influx_rollup.steps.influx import Bucket
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval, to_ns
from airflow_provider_influx_rollup.windows.lateness import is_due

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEEDED = (PageState.STALE_SPEC, PageState.WRITING, PageState.PLANNED, PageState.MISSING)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """What is known of a pipeline's windows; None: nothing.

    :param plans: of receipts of windows that a run wanted, and that may have been begun since
    :param other_hashes: of receipts of another spec than the one in force
    :param incomplete: of receipts whose source lacks something
    :param purged: windows whose points were purged from the source, or are being purged
    :param archived: windows whose points are archived
    :param has_target: whether the target bucket is there, without which no window is done
    """

    states: TextColumn | None
    plans: TextColumn | None
    other_hashes: TextColumn | None
    claimed_by: TextColumn | None
    committed_by: TextColumn | None
    incomplete: TextColumn | None
    purged: Sequence[Interval]
    archived: Sequence[Interval]
    source: Bucket | None
    has_target: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PipelineWindows:
    """The windows of one pipeline, in order, each with its state.

    :param starts: nanoseconds since the epoch; likewise ``stops``
    :param codes: places of the states in ``STATES``
    """

    spec: RollupSpec
    starts: NDArray[Any]
    stops: NDArray[Any]
    codes: NDArray[Any]

    def where(self, *states: PageState) -> NDArray[Any]:
        """Numbers of the windows that are in one of these states."""
        import numpy as np

        return np.flatnonzero(np.isin(self.codes, [CODES[state] for state in states]))

    def marked(self, numbers: NDArray[Any], state: PageState) -> PipelineWindows:
        """The same with some windows in another state.

        :param numbers: of the windows
        """
        codes = self.codes.copy()
        codes[numbers] = CODES[state]
        return PipelineWindows(spec=self.spec, starts=self.starts, stops=self.stops, codes=codes)


def judged(spec: RollupSpec, windows: Sequence[Interval], known: Known, now: datetime) -> PipelineWindows:
    """The state of each window.

    :param windows: in order, at least one
    :param now: the time now, aware UTC
    """
    import numpy as np

    starts = np.fromiter((window.start_ns for window in windows), np.int64, len(windows))
    stops = np.fromiter((window.stop_ns for window in windows), np.int64, len(windows))
    codes = np.full(len(windows), CODES[PageState.MISSING], np.uint8)
    lateness = Duration.of(spec.lateness, allow_zero=True)
    due = bisect_left(windows, True, key=lambda window: not is_due(window, lateness, now))
    codes[due:] = CODES[PageState.NOT_DUE]
    _by_receipts(codes, starts, known)
    _frozen(codes, windows, starts, stops, known, now)
    _with_more(codes, starts, stops, known)
    return PipelineWindows(spec=spec, starts=starts, stops=stops, codes=codes)


def _by_receipts(codes: NDArray[Any], starts: NDArray[Any], known: Known) -> None:
    import numpy as np

    if known.plans is not None:
        codes[_numbers(starts, known.plans.starts)] = CODES[PageState.PLANNED]
    if known.states is None:
        return
    committed = np.zeros(len(codes), bool)
    for state, shown in (
        (State.COMMITTED, PageState.COMMITTED),
        (State.WRITING, PageState.WRITING),
        (State.PLANNED, PageState.PLANNED),
    ):
        numbers = _numbers(starts, known.states.starts[known.states.values == state.value])
        codes[numbers] = CODES[shown]
        if state is State.COMMITTED:
            committed[numbers] = True
    stale = _mask(starts, known.other_hashes) & committed
    codes[stale] = CODES[PageState.STALE_SPEC]
    if not known.has_target:
        codes[committed] = CODES[PageState.MISSING]
    codes[_overtaken(starts, known) & committed] = CODES[PageState.WRITING]


def _overtaken(starts: NDArray[Any], known: Known) -> NDArray[Any]:
    """Windows that a run committed after another had claimed them."""
    import numpy as np

    claims = []
    for column in (known.claimed_by, known.committed_by):
        aligned = np.full(len(starts), "", object)
        if column is not None:
            places, inside = _places(starts, column.starts)
            aligned[places] = column.values[inside]
        claims.append(aligned)
    claimed_by, committed_by = claims
    found: NDArray[Any] = (claimed_by != "") & (committed_by != "") & (claimed_by != committed_by)
    return found.astype(bool)


def _frozen(
    codes: NDArray[Any],
    windows: Sequence[Interval],
    starts: NDArray[Any],
    stops: NDArray[Any],
    known: Known,
    now: datetime,
) -> None:
    import numpy as np

    needed = np.isin(codes, [CODES[state] for state in NEEDED])
    lost = _overlap(starts, stops, known.purged)
    source = known.source
    edge = None if source is None else horizon(source, now)
    if source is not None and edge is not None:
        old = bisect_left(windows, True, key=lambda window: not is_too_old(window, source, now))
        lost[:old] = True
        # whether fewer points were asked for or are there cannot be told
        lost |= (codes == CODES[PageState.STALE_SPEC]) & (starts < to_ns(edge))
    codes[needed & lost] = CODES[PageState.FROZEN]


def _with_more(codes: NDArray[Any], starts: NDArray[Any], stops: NDArray[Any], known: Known) -> None:
    """What else is true of windows that are done; the most urgent last."""
    done = codes == CODES[PageState.COMMITTED]
    for mask, state in (
        (_overlap(starts, stops, known.archived), PageState.ARCHIVED),
        (_overlap(starts, stops, known.purged), PageState.PURGED),
        (_mask(starts, known.incomplete), PageState.INCOMPLETE),
    ):
        codes[done & mask] = CODES[state]


def _overlap(starts: NDArray[Any], stops: NDArray[Any], spans: Sequence[Interval]) -> NDArray[Any]:
    import numpy as np

    found = np.zeros(len(starts), bool)
    for span in spans:
        first = np.searchsorted(stops, span.start_ns, "right")
        found[first : np.searchsorted(starts, span.stop_ns, "left")] = True
    return found


def _mask(starts: NDArray[Any], column: TextColumn | None) -> NDArray[Any]:
    import numpy as np

    found = np.zeros(len(starts), bool)
    if column is not None:
        found[_numbers(starts, column.starts)] = True
    return found


def _numbers(starts: NDArray[Any], wanted: NDArray[Any]) -> NDArray[Any]:
    """Numbers of the windows with some starts; starts that no window has are left out."""
    return _places(starts, wanted)[0]


def _places(starts: NDArray[Any], wanted: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """For starts that are those of windows: the windows' numbers, and which of the starts they are."""
    import numpy as np

    places = np.searchsorted(starts, wanted)
    inside = places < len(starts)
    inside[inside] = starts[places[inside]] == wanted[inside]
    return places[inside], inside


def counts_of(codes: NDArray[Any]) -> Mapping[str, int]:
    """Number of windows in each state that one of them is in."""
    import numpy as np

    found = np.bincount(codes, minlength=len(CODES))
    return {state.value: int(found[number]) for state, number in CODES.items() if found[number]}
