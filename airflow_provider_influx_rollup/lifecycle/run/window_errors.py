"""Errors of single windows: which ones there are, and the one error that names them at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby

from airflow_provider_influx_rollup.exceptions import (
    BucketNotFound,
    InfluxError,
    InfluxForbidden,
    InfluxOverloaded,
    InfluxRollupError,
    InfluxTruncated,
    InfluxUnauthorized,
    InfluxUnavailable,
    OrgNotFound,
    QueryLimitReached,
    SourceIncomplete,
    StoreError,
    WindowFrozen,
    WindowsFailed,
)
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.current_window import working_on
from airflow_provider_influx_rollup.windows.interval import Interval

# the next window would meet them too, and trying it would only add to the load
OF_THE_WHOLE_RUN = (
    InfluxUnavailable,
    InfluxOverloaded,
    InfluxTruncated,
    InfluxUnauthorized,
    InfluxForbidden,
    BucketNotFound,
    OrgNotFound,
)
MAX_CAUSES_TOLD = 10
# how what to do about a request that failed goes on
THEN_RUN = ", then run "

Failed = Mapping[Interval, InfluxRollupError]
Gap = tuple[tuple[Interval, ...], str]


def is_of_windows(error: InfluxRollupError) -> bool:
    """Whether an error may be of some windows only, so that the others, or fewer at a time, are worth a try."""
    return isinstance(error, QueryLimitReached) or not isinstance(error, OF_THE_WHOLE_RUN)


def failures_as_one(
    windows: Sequence[Interval],
    failed: Failed,
    first_error: InfluxRollupError | None,
    committed: int,
    *,
    names_each: bool = False,
) -> InfluxRollupError:
    """The error of a run that some windows failed in.

    :param windows: all windows of the run, in order
    :param failed: those that failed, with their errors; at least one
    :param first_error: the first error of a block, when it was about more than one window
    :param committed: how many windows are COMMITTED
    :param names_each: name the windows also when one error could stand for all
    """
    ordered = [(window, failed[window]) for window in windows if window in failed]
    errors = [error for _, error in ordered]
    frozen = [error for error in errors if isinstance(error, WindowFrozen)]
    if len(windows) == 1:
        return errors[0]
    if not committed and len(frozen) == len(errors):
        return merged_frozen(frozen, len(windows))
    if all(isinstance(error, SourceIncomplete) for error in errors):
        what = f"{len(errors)} of {len(windows)} windows have no points"
        written = f"{committed} windows are committed"
        return SourceIncomplete(what, window=ordered[0][0], written=written, fix="send the data")
    if not names_each and not committed and len({type(error) for error in errors}) == 1:
        return first_error or errors[0]
    causes = gaps_of(windows, {window: cause_of(error) for window, error in ordered})
    told = few([f"{_span(some)}: {why}" for some, why in causes], MAX_CAUSES_TOLD, between=". ")
    what = f"{len(ordered)} of {len(windows)} windows failed. {told}"
    fix = next((error.fix for error in errors if error.fix), None)
    written = f"{committed} windows are COMMITTED; the failed ones are not"
    return WindowsFailed(what, failed=ordered, window=ordered[0][0], written=written, fix=fix)


@contextmanager
def about_window(window: Interval, written: str | None = None) -> Iterator[None]:
    """Let errors that know no window, such as those of a server or a store, name the one that is worked on; traces too.

    :param written: what was and was not written when an error comes out; None: as the error says
    """
    try:
        with working_on(window):
            yield
    except InfluxRollupError as error:
        error.window = error.window or window
        error.written = written or error.written
        raise


@contextmanager
def unless_told(written: str) -> Iterator[None]:
    """Let errors that do not say what was written say this.

    :param written: what may be written, and what is not
    """
    try:
        yield
    except InfluxRollupError as error:
        error.written = error.written or written
        raise


@contextmanager
def once_deleted(written: str, fix: str) -> Iterator[None]:
    """Let errors of a server or a store say what is gone already: they only know of the request that failed.

    :param written: what was deleted, and what is missing
    :param fix: what a rerun does
    """
    try:
        yield
    except (InfluxError, StoreError) as error:
        mend = (error.fix or "").partition(THEN_RUN)[0]
        has_cure = mend and not mend.startswith("run ")
        error.written, error.fix = written, f"{mend if has_cure else 'mend what failed'}, then {fix}"
        raise


def gaps_of(windows: Iterable[Interval], why: Mapping[Interval, str]) -> list[Gap]:
    """Windows with a reason, as runs of neighbours with the same kind of reason, told by the first one's words.

    :param windows: neighbours, in order
    :param why: in words; what goes before a colon is the kind
    """
    gaps = []
    for kind, members in groupby(windows, key=lambda window: why.get(window, "").partition(":")[0]):
        some = tuple(members)
        if kind:
            gaps.append((some, why[some[0]]))
    return gaps


def cause_of(error: InfluxRollupError) -> str:
    """Class and event of an error, without the window and the fix."""
    return f"{type(error).__name__}: {error.what}"


def _span(windows: Sequence[Interval]) -> str:
    span = Interval.spanning(windows)
    return str(span) if len(windows) == 1 else f"{len(windows)} windows of {span}"


def merged_frozen(frozen: Sequence[WindowFrozen], window_count: int) -> WindowFrozen:
    """One error for several frozen windows.

    :param frozen: at least one, in order
    :param window_count: how many windows the run has
    """
    first = frozen[0]
    what = f"{len(frozen)} of {window_count} windows are frozen: {first.what}"
    return WindowFrozen(what, window=first.window, written="nothing", fix=first.fix)
