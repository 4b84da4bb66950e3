"""Airflow's context -> the interval of a run, and who runs it. The same on 2.11 and 3.x."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Protocol, TypedDict, Unpack
from uuid import uuid4

from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.duration import Duration, DurationLike
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.resolver import RunFacts, resolve_interval

#: in the extra of an asset event: how many windows it is about, and where they lie, when they are not neighbours
WINDOWS, STRETCHES = "windows", "stretches"


class StageInterval(TypedDict, total=False):
    """The interval parameters of a stage.

    :param start: already rendered; aware or ISO 8601 with an offset
    :param stop: not included
    :param window: how long the interval is where the run names one instant only
    :param timezone: where a date without a time starts; default UTC
    :param offset: how much later than midnight days begin, a Flux duration
    :param partition_key_format: the ``strptime`` format of the time in a partition key
    """

    start: str | date | None
    stop: str | date | None
    window: DurationLike | Duration | None
    timezone: str
    offset: DurationLike
    partition_key_format: str | None


class HasInterval(Protocol):
    """A task with the interval parameters."""

    start: str | date | None
    stop: str | date | None
    window: DurationLike | None
    timezone: str
    offset: DurationLike
    partition_key_format: str | None


def interval_of_run(context: Mapping[str, Any], **stage: Unpack[StageInterval]) -> Interval:
    """The interval that a run is about.

    In order: start and stop, ``dag_run.conf``, the data interval, the partition date with window, the extras
    of the triggering asset events; those of datasets on 2.11 before the data interval.

    :param context: Airflow's context; any key may be absent
    :raises WindowError: when nothing names an interval, or it is empty; the message names the fix
    """
    return resolve_interval(run_facts(context, **stage))


def interval_of_task(
    task: HasInterval, context: Mapping[str, Any], *, window: DurationLike | None = None
) -> Interval:
    """The interval that a run of a task is about, by the task's own parameters.

    :param window: in place of the task's
    :raises WindowError: as ``interval_of_run``
    """
    return interval_of_run(
        context,
        start=task.start,
        stop=task.stop,
        window=window or task.window,
        timezone=task.timezone,
        offset=task.offset,
        partition_key_format=task.partition_key_format,
    )


def run_facts(context: Mapping[str, Any], **stage: Unpack[StageInterval]) -> RunFacts:
    """Facts about a run from the context, as plain values.

    :param context: Airflow's context; runs without a data interval have no such keys at all
    """
    dag_run = context.get("dag_run")
    conf = getattr(dag_run, "conf", None)
    run_type = _run_type(dag_run)
    return RunFacts(
        explicit_start=_plain(stage.get("start")),
        explicit_stop=_plain(stage.get("stop")),
        # Airflow takes a list too
        conf=conf if isinstance(conf, Mapping) else {},
        data_interval_start=_fact(context, dag_run, "data_interval_start"),
        data_interval_stop=_fact(context, dag_run, "data_interval_end"),
        logical_date=_fact(context, dag_run, "logical_date"),
        partition_date=_fact(context, dag_run, "partition_date"),
        partition_key=_fact(context, dag_run, "partition_key"),
        partition_key_format=stage.get("partition_key_format"),
        window=stage.get("window") or None,
        asset_intervals=asset_intervals(context) if "triggered" in (run_type or "") else (),
        run_type=run_type,
        timezone=stage.get("timezone", "UTC"),
        offset=stage.get("offset", "0s"),
    )


def run_info(context: Mapping[str, Any]) -> RunInfo:
    """The author of a run, for the ledger.

    :param context: Airflow's context
    """
    ti = context.get("ti") or context.get("task_instance")
    map_index = getattr(ti, "map_index", None)
    return RunInfo(
        dag_id=str(getattr(ti, "dag_id", "") or ""),
        task_id=str(getattr(ti, "task_id", "") or ""),
        run_id=str(getattr(ti, "run_id", "") or ""),
        try_number=int(getattr(ti, "try_number", 1) or 1),
        map_index=-1 if map_index is None else int(map_index),
        first_try=_first_try(ti),
        began=_began(context.get("dag_run")),
    )


def code_of_run(context: Mapping[str, Any]) -> dict[str, str]:
    """Which code a task was made of, as far as Airflow knows: nothing on 2.11.

    :param context: Airflow's context
    :return: ``dag_version``, Airflow's id of it; ``bundle``, the name of the DAG bundle; ``bundle_version``, such as a Git
        commit, where the bundle has versions
    """
    ti = context.get("ti") or context.get("task_instance")
    bundle = getattr(ti, "bundle_instance", None)
    known = {
        "dag_version": getattr(ti, "dag_version_id", None),
        "bundle": getattr(bundle, "name", None),
        "bundle_version": getattr(bundle, "version", None),
    }
    return {name: str(value) for name, value in known.items() if value}


def _first_try(ti: Any) -> int:
    """The first try since the task was cleared last: clearing adds the tries so far to the tries there may be."""
    retries = getattr(getattr(ti, "task", None), "retries", None)
    max_tries = getattr(ti, "max_tries", None)
    if not isinstance(retries, int) or not isinstance(max_tries, int):
        return 1
    return max(1, max_tries - retries + 1)


def _began(dag_run: Any) -> str:
    """When a run began, the same for all tries between two clears of its tasks; empty without a run."""
    began = getattr(dag_run, "start_date", None)
    # airflow dags test gives the logical date to each run that it makes of it: then no try goes on behind another
    if dag_run is not None and (began is None or began == getattr(dag_run, "logical_date", None)):
        return uuid4().hex
    if not isinstance(began, datetime):
        return ""
    # a task that is cleared while it runs keeps its tries: only this says so, on 3.2 or later
    cleared = getattr(dag_run, "clear_number", None)
    when = str(_plain(began).isoformat())
    return f"{when} cleared {cleared}" if cleared else when


def _fact(context: Mapping[str, Any], dag_run: Any, name: str) -> Any:
    """A value of the context; where the context lacks it, the run's own."""
    value = context.get(name)
    return _plain(getattr(dag_run, name, None) if value is None else value)


def _plain(value: Any) -> Any:
    """A plain datetime: pendulum's subclass, which Airflow gives, shifts and prints in its own way."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        return value
    utc = value.astimezone(UTC)
    return datetime(*utc.timetuple()[:6], microsecond=utc.microsecond, tzinfo=UTC)


def _run_type(dag_run: Any) -> str | None:
    run_type = getattr(dag_run, "run_type", None)
    # an enumeration on both versions, but plain text after a trip through the database
    return None if run_type is None else str(getattr(run_type, "value", run_type))


def asset_intervals(context: Mapping[str, Any]) -> tuple[tuple[Any, Any], ...]:
    """Start and stop in the extra of each triggering event, directly or under ``window``; of each stretch where it has several.

    An event of a partition says of its task's windows all together, so it counts only when that is one window.

    :param context: Airflow's context
    """
    # datasets on 2.11, assets on 3.x; on 2.11 reading them asks the database, so only for triggered runs
    events = context.get("triggering_asset_events") or context.get("triggering_dataset_events")
    is_partition = getattr(context.get("dag_run"), "partition_key", None) is not None
    found: list[tuple[Any, Any]] = []
    for event in _flat(events):
        extra: Mapping[str, Any] = getattr(event, "extra", None) or {}
        nested = extra.get("window")
        window = nested if isinstance(nested, Mapping) else extra
        if is_partition and extra.get(WINDOWS, 1) != 1:
            continue
        if STRETCHES in extra:
            found += [(start, stop) for start, stop in json.loads(extra[STRETCHES])]
        elif window.get("start") and window.get("stop"):
            found.append((_plain(window["start"]), _plain(window["stop"])))
    return tuple(found)


def _flat(events: Any) -> Iterable[Any]:
    if not events:
        return ()
    return (event for group in events.values() for event in group)
