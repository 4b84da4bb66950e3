"""From the facts of a run to the interval it is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.exceptions import WindowUndefined, WindowZeroLength
from airflow_provider_influx_rollup.windows.duration import DAY_NS, Duration, DurationLike
from airflow_provider_influx_rollup.windows.instants import read_instant
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant
from airflow_provider_influx_rollup.windows.local_time import shift
from airflow_provider_influx_rollup.windows.partition_key import READABLE, read_partition_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Time = str | date
#: Airflow 2.11's kind of a run that events have started; on 3.x such runs have no data interval
STARTED_BY_DATASETS = "dataset_triggered"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """Facts about a run as plain values. Times are aware datetimes or ISO 8601 texts.

    :param explicit_start: the stage's own ``start``; None or an empty text when not given
    :param explicit_stop: the stage's own ``stop``
    :param conf: the run's configuration, which may hold ``start`` and ``stop``
    :param data_interval_start: start of the run's data interval
    :param data_interval_stop: stop of the run's data interval
    :param logical_date: the run's logical date
    :param partition_date: where the run's partition starts
    :param partition_key: the partition's name; used only when it names a time
    :param partition_key_format: the ``strptime`` format of that time; default: those that Airflow writes
    :param window: how long the interval is where the run names one instant only
    :param asset_intervals: start and stop of each triggering asset event that names them
    :param run_type: Airflow's name of the kind of run, such as ``manual``
    :param timezone: the stage's zone: where a date starts, and whose clocks a window of whole days follows
    :param offset: how much later than midnight the stage's days begin
    """

    explicit_start: Time | None = None
    explicit_stop: Time | None = None
    conf: Mapping[str, Any] | None = None
    data_interval_start: Time | None = None
    data_interval_stop: Time | None = None
    logical_date: Time | None = None
    partition_date: Time | None = None
    partition_key: str | None = None
    partition_key_format: str | None = None
    window: DurationLike | Duration | None = None
    asset_intervals: Sequence[tuple[Time, Time]] = ()
    run_type: str | None = None
    timezone: str = "UTC"
    offset: DurationLike | Duration = "0s"


def resolve_interval(facts: RunFacts) -> Interval:
    """Decide which interval a run is about.

    In order: explicit start and stop, the run's configuration, the events of datasets that started a run of
    Airflow 2.11, the data interval, the partition date with ``window``, the triggering asset events. A data
    interval of zero length counts only with ``window``, which then ends there.

    :param facts: what is known of the run
    :raises WindowUndefined: when nothing names an interval, or a time cannot be read
    :raises WindowZeroLength: when the data interval is empty and nothing else names one
    :raises WindowError: when a stop is before its start
    """
    sources: tuple[Callable[[RunFacts], Interval | None], ...] = (
        _from_parameters,
        _from_conf,
        _from_dataset_events,
        _from_data_interval,
        _from_partition,
        _from_asset_events,
    )
    for source in sources:
        interval = source(facts)
        if interval is not None:
            return interval
    raise _undecided(facts)


def _from_parameters(facts: RunFacts) -> Interval | None:
    return _pair(facts.explicit_start, facts.explicit_stop, "the stage's parameters", facts)


def _from_conf(facts: RunFacts) -> Interval | None:
    conf = facts.conf or {}
    return _pair(conf.get("start"), conf.get("stop"), "dag_run.conf", facts)


def _from_dataset_events(facts: RunFacts) -> Interval | None:
    """Before the data interval, which 2.11 takes of the runs that made the events, whatever these are about."""
    return _from_asset_events(facts) if facts.run_type == STARTED_BY_DATASETS else None


def _from_data_interval(facts: RunFacts) -> Interval | None:
    start, stop = facts.data_interval_start, facts.data_interval_stop
    if _is_zero_length(facts):
        return _ending_at_the_run(facts)
    interval = _pair(start, stop, "the data interval", facts)
    if interval is not None:
        _refuse_another_date(facts, interval)
    return interval


def _from_partition(facts: RunFacts) -> Interval | None:
    start = _partition_start(facts)
    if start is None or facts.window is None:
        return None
    return Interval(start, _other_edge(start, Duration.of(facts.window), facts, backwards=False))


def _from_asset_events(facts: RunFacts) -> Interval | None:
    """Span all events, as Airflow 2 does: one run may answer several that came while it waited."""
    if not facts.asset_intervals:
        return None
    where = "an asset event"
    spans = [_pair(start, stop, where, facts) for start, stop in facts.asset_intervals]
    known = [span for span in spans if span is not None]
    return Interval.spanning(known) if known else None


def _pair(start: Any, stop: Any, where: str, facts: RunFacts) -> Interval | None:
    """Read a start and a stop; None when neither is given, an error when one is."""
    # a template without a value renders to an empty text
    start, stop = (None if value in ("", None) else value for value in (start, stop))
    if start is None and stop is None:
        return None
    if start is None or stop is None:
        present, absent = ("stop", "start") if start is None else ("start", "stop")
        what = f"{where} has a {present} but no {absent}"
        raise WindowUndefined(what, written="nothing was written", fix=f"give both, or leave {present} out")
    return Interval(
        read_instant(start, f"start in {where}", facts.timezone),
        read_instant(stop, f"stop in {where}", facts.timezone),
    )


def _is_zero_length(facts: RunFacts) -> bool:
    start, stop = facts.data_interval_start, facts.data_interval_stop
    if start is None or stop is None:
        return False
    return read_instant(start, "data_interval_start") == read_instant(stop, "data_interval_stop")


def _ending_at_the_run(facts: RunFacts) -> Interval | None:
    """Return the window that ends at the run's date: a trigger timetable runs at the end of what it is about."""
    if facts.window is None:
        return None
    # a manual run for a past date has that date here, while its data interval is that of the present
    instant = facts.data_interval_start if facts.logical_date is None else facts.logical_date
    stop = read_instant(instant, "the run's date", facts.timezone)
    return Interval(_other_edge(stop, Duration.of(facts.window), facts, backwards=True), stop)


def _other_edge(edge: datetime, window: Duration, facts: RunFacts, *, backwards: bool) -> datetime:
    begins = timedelta(microseconds=Duration.of(facts.offset, allow_zero=True).nanoseconds % DAY_NS // 1000)
    other = shift(edge, window, facts.timezone, backwards=backwards, begins=begins)
    if other == edge:
        # a day that the zone has skipped is none
        twice = Duration(2 * window.months, 2 * window.nanoseconds)
        other = shift(edge, twice, facts.timezone, backwards=backwards, begins=begins)
    return other


def _refuse_another_date(facts: RunFacts, interval: Interval) -> None:
    """Stop a manual run for a past date that Airflow gave the data interval of the present."""
    if facts.run_type != "manual" or facts.logical_date is None:
        return
    asked_for = read_instant(facts.logical_date, "logical_date")
    if asked_for < interval.start:
        text = format_instant(asked_for)
        what = f"the manual run for {text} has the data interval of the time it was triggered at"
        fix = "trigger it with the start and stop you mean in its conf, or run a backfill over that time"
        raise WindowUndefined(what, window=interval, written="nothing was written", fix=fix)


def _partition_start(facts: RunFacts) -> datetime | None:
    if facts.partition_date is not None:
        return read_instant(facts.partition_date, "partition_date", facts.timezone)
    if facts.partition_key is None or facts.window is None:
        return None
    is_of_days = Duration.of(facts.window).nanoseconds % DAY_NS == 0
    return read_partition_key(
        facts.partition_key, facts.timezone, facts.partition_key_format, is_of_days=is_of_days
    )


def _undecided(facts: RunFacts) -> WindowUndefined | WindowZeroLength:
    by_hand = "give start= and stop=, or trigger the run with start and stop in its conf"
    if _is_zero_length(facts):
        instant = format_instant(read_instant(facts.data_interval_start, "data_interval_start"))
        what = (
            f"the data interval at {instant} has zero length: the schedule names an instant, not an interval"
        )
        fix = (
            "schedule with CronDataIntervalTimetable, or set [scheduler] create_cron_data_intervals = True, "
            f"or give window=timedelta(...) for the time before that instant, or {by_hand}"
        )
        return WindowZeroLength(what, written="nothing was written", fix=fix)
    kind = f"the {facts.run_type} run" if facts.run_type else "the run"
    what = f"{kind} has no data interval, and nothing else says which windows it is about"
    if facts.partition_date is not None or facts.partition_key is not None:
        partition = facts.partition_key or facts.partition_date
        if facts.window is not None:
            return _no_time(kind, str(partition), facts)
        what = f"{kind} is about the partition {partition}, but nothing says how long that is"
    fix = (
        f"{by_hand}, or schedule with CronDataIntervalTimetable, or give window=timedelta(...) for a run with "
        "a partition date, or let the triggering asset events carry start and stop in their extra"
    )
    return WindowUndefined(what, written="nothing was written", fix=fix)


def _no_time(kind: str, key: str, facts: RunFacts) -> WindowUndefined:
    what = f"{kind} is about the partition {key}, which is no time that can be read"
    if facts.partition_key_format is not None:
        what = f"{kind} is about the partition {key}, of which no part has the format {facts.partition_key_format}"
    fix = (
        f"let the key be a time such as {READABLE}, or give partition_key_format, the strptime format of the key, "
        "or give start= and stop="
    )
    return WindowUndefined(what, written="nothing was written", fix=fix)
