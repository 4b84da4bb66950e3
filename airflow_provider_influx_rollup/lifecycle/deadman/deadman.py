"""Find silent series, and write their statuses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.flux.inventory import LastSeen
from airflow_provider_influx_rollup.flux.series import Series
from airflow_provider_influx_rollup.lifecycle.deadman.series_state import (
    DEAD,
    ObservedSeries,
    SeriesState,
    SeriesVerdict,
    judge,
)
from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec, spans_of
from airflow_provider_influx_rollup.lifecycle.deadman.statuses import (
    read_levels,
    read_newer,
    statuses_of,
    write_statuses,
)
from airflow_provider_influx_rollup.lifecycle.source.inventory import grouping_of, series_label
from airflow_provider_influx_rollup.lifecycle.source.inventory_read import read_named
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant

MAX_LISTED = 200


def check_deadman(spec: DeadmanSpec, interval: Interval) -> Steps[dict[str, Any]]:
    """Judge each expected series at the stop of an interval, and write one status for each.

    Statuses get the interval's stop as their time: a rerun overwrites its own, and an old interval never
    changes what is known of the present.

    :param interval: what is evaluated
    :return: small JSON: ``state`` is ``ok``, ``dead`` or ``nothing_expected``; ``newly_dead`` are those whose status
        before was none of death, ``is_latest`` says whether the check has judged no later interval
    :raises ConfigurationError: when the spec contradicts itself
    :raises InfluxError: when the server refuses or cannot be reached
    """
    spans = spans_of(spec, interval)
    expected = yield from read_named(spec.inventory, interval)
    keys = grouping_of(spec.group_by, expected)
    recent = yield from ask(LastSeen(spec.source, spans.recent, keys))
    earlier = yield from ask(LastSeen(spec.source, spans.earlier, keys))
    levels = yield from read_levels(spec, Interval(spans.earlier.start, interval.stop))
    newer = yield from read_newer(spec, interval)
    retired = spec.inventory.without_retired
    seen = ObservedSeries(_only(recent, retired(recent)), _only(earlier, retired(earlier)), levels)
    length = interval.duration
    verdicts = judge(
        seen,
        expected=expected,
        dead_level=spec.level,
        retired_before=spans.retired_before,
        retires_from=spans.retired_before - length if spans.retired_before else None,
    )
    result = _result(spec, interval, verdicts, seen, expected) | {"is_latest": newer is None}
    statuses = statuses_of(spec, interval, spans, verdicts, levels)
    yield from _report(spec, interval, result)
    if spec.dry_run:
        return result | {"statuses_written": 0, "dry_run": True}
    written = yield from write_statuses(spec, interval, statuses)
    return result | written


def _only(seen: Mapping[Series, datetime], kept: Iterable[Series]) -> dict[Series, datetime]:
    return {series: seen[series] for series in kept}


def _result(
    spec: DeadmanSpec,
    interval: Interval,
    verdicts: list[SeriesVerdict],
    seen: ObservedSeries,
    expected: tuple[Series, ...] | None,
) -> dict[str, Any]:
    dead = [verdict for verdict in verdicts if verdict.state in DEAD]
    newly = [v for v in dead if seen.levels.get(v.series) != spec.level]
    came_back = [verdict for verdict in verdicts if verdict.state is SeriesState.CAME_BACK]
    retired = [verdict for verdict in verdicts if verdict.state is SeriesState.RETIRED]
    expected_count = len(verdicts) - len(retired)
    return {
        "window": interval.as_json(),
        "check_id": spec.check.id,
        "check_name": spec.check.name,
        "expected": expected_count,
        "alive": expected_count - len(dead),
        "dead_count": len(dead),
        "dead": [verdict.as_json() for verdict in dead[:MAX_LISTED]],
        "newly_dead_count": len(newly),
        "newly_dead": [verdict.as_json() for verdict in newly[:MAX_LISTED]],
        "came_back_count": len(came_back),
        "came_back": [verdict.as_json() for verdict in came_back[:MAX_LISTED]],
        "retired_count": len(retired),
        "retired": [verdict.as_json() for verdict in retired[:MAX_LISTED]],
        "unexpected": 0 if expected is None else len(set(seen.recent) - set(expected)),
        "measurement_silent": not seen.recent,
        "state": "dead" if dead else "ok" if expected_count else "nothing_expected",
    }


def _report(spec: DeadmanSpec, interval: Interval, result: Mapping[str, Any]) -> Steps[None]:
    where = f"{spec.bucket}/{spec.measurement} at {format_instant(interval.stop)}"
    if result["state"] == "nothing_expected":
        yield from ask(Report(f"{where}: nothing is expected: no series was seen or listed", "warning"))
        return
    counts = ", ".join(f"{result[key]} {word}" for key, word in COUNTED.items())
    yield from ask(Report(f"{where}: {counts}", "warning" if result["dead_count"] else "info"))
    for verdict in result["dead"][:20]:
        label = series_label(tuple(sorted(verdict["series"].items())))
        yield from ask(
            Report(f"{verdict['state']}: {label}, last seen {verdict['last_seen'] or 'never'}", "warning")
        )


COUNTED = {
    "expected": "expected",
    "alive": "alive",
    "dead_count": "dead",
    "came_back_count": "came back",
    "retired_count": "retired",
}


def steps_from_job(
    job: Mapping[str, Any],
    clock: Callable[[], datetime],  # noqa: ARG001 - as all verbs; a deadman knows no present time
) -> Steps[dict[str, Any]]:
    """The verb as a job of the triggerer.

    :param job: ``spec`` as JSON and ``intervals``, exactly one
    :param clock: not used
    """
    (bounds,) = job["intervals"]
    interval = Interval(datetime.fromisoformat(bounds["start"]), datetime.fromisoformat(bounds["stop"]))
    return check_deadman(DeadmanSpec.from_json(job["spec"]), interval)
