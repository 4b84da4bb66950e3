"""Deadman checks and sensors as a world has them, and what must be true of them when nobody is at work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from airflow_provider_influx_rollup.lifecycle.completeness.completeness import check_windows
from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
from airflow_provider_influx_rollup.lifecycle.deadman.deadman import check_deadman
from airflow_provider_influx_rollup.lifecycle.deadman.spec import DeadmanSpec
from airflow_provider_influx_rollup.steps.influx import Sleep
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.simulation.influx import nanoseconds
from tests.simulation.pipelines import HOUR_NS, HOURS, SPAN, WINDOWS
from tests.simulation.plain_watch import ALIVE, DEAD, PlainDeadman, PlainSensor, Tags
from tests.simulation.points import span_of
from tests.simulation.runs import Run
from tests.simulation.watch_turns import DeadmanTurns, SensorTurns, series_of_status
from tests.simulation.world import STATUSES, TAGS, World

#: as they are written, and what they mean
DEADMEN: tuple[tuple[DeadmanSpec, PlainDeadman], ...] = (
    (DeadmanSpec(bucket="raw", measurement="m", check_name="seen"), PlainDeadman()),
    (
        DeadmanSpec(
            bucket="raw",
            measurement="m",
            check_name="listed",
            expected=({"device": "a"}, {"device": "c"}, {"device": "e"}),
        ),
        PlainDeadman(listed=tuple((("device", name),) for name in "ace")),
    ),
    (
        DeadmanSpec(bucket="raw", measurement="m", check_name="retiring", silence="30m", retire_after="90m"),
        PlainDeadman(silence=HOUR_NS // 2, retire_after=HOUR_NS * 3 // 2),
    ),
)
QUIET_SECONDS = 60
LOOK_AGAIN_SECONDS = 25
LOOKS = 4


def _sensor(**values: Any) -> CompletenessSpec:
    return CompletenessSpec(bucket="raw", measurement="m", every="1h", ledger_bucket="ledger", **values)


LISTED: tuple[dict[str, str], ...] = ({"device": "a"}, {"device": "c", "site": "y"})
SENSORS: tuple[tuple[CompletenessSpec, PlainSensor], ...] = (
    (_sensor(upstream="hourly"), PlainSensor()),
    (_sensor(expected=3, pipeline="hourly", accept_partial_after="1h"), PlainSensor(series=3)),
    (_sensor(expected=LISTED), PlainSensor(listed=tuple(tuple(sorted(one.items())) for one in LISTED))),
    (_sensor(quiet_for=f"{QUIET_SECONDS}s"), PlainSensor()),
    (_sensor(expected="inventory"), PlainSensor(is_seen_before=True)),
    (_sensor(cadence="30m"), PlainSensor(points=2)),
)
#: number of the sensor that waits for a quiet source
QUIET_CHOICE = 3
WATCH_VERBS = ("deadman", "sensor")
#: which are chosen how often: those that write, or compare looks, most
WATCH_CHOICES = (0, 0, 1, 1, 1, 2, 3, 3, 3, 4, 5)
Clock = Callable[[], datetime]


def watch_run(world: World, name: str, verb: str, choice: int, span: Interval, clock: Clock) -> Run:
    """A run that has not begun.

    :param choice: which of the specs it has
    """
    if verb == "deadman":
        spec, plain = DEADMEN[choice % len(DEADMEN)]
        deadman = DeadmanTurns(world=world, name=name, plain=plain, span=span_of(span))
        return Run(world, name, lambda: check_deadman(spec, span), verb, turns=deadman)
    wanted, complete = SENSORS[choice % len(SENSORS)]
    sensor = SensorTurns(
        world=world,
        name=name,
        plain=complete,
        span=span_of(span),
        upstream=wanted.upstream or "",
        quiet_seconds=QUIET_SECONDS if wanted.quiet_for else 0,
    )
    return Run(world, name, lambda: _look(wanted, span, clock, sensor), verb, turns=sensor)


def _look(spec: CompletenessSpec, span: Interval, clock: Clock, turns: SensorTurns) -> Iterator[Any]:
    """Look now and then, as a sensor does."""
    looked_up: set[str] = set()
    for _ in range(LOOKS):
        turns.looks()
        event = yield from check_windows(spec, span, clock, looked_up)
        if event is not None:
            return event
        yield Sleep(LOOK_AGAIN_SECONDS)
    return None


def watched_at_rest(world: World) -> list[str]:
    """Checks and sensors say what is so, and leave no status or mark that says otherwise."""
    problems: list[str] = []
    for choice, (spec, plain) in enumerate(DEADMEN):
        before: dict[Tags, str] = {}
        for hour in range(HOURS):
            start = nanoseconds(SPAN.start) + hour * HOUR_NS
            window = WINDOWS[hour]
            levels = plain.levels(world.source, start, start + HOUR_NS)
            run = _quiet(world, "deadman", choice, window)
            if run.end != "ok":
                return [f"a quiet deadman check fails: {run.end}"]
            told = [(tags, level) for tags, time, level in _statuses(world, spec) if time == start + HOUR_NS]
            if sorted(told) != sorted(levels.items()):
                problems.append(f"statuses of {window} by {spec.check_name}: {told}, not {levels}")
            back = {one.series for one in run.result.came_back}
            if back != {t for t, level in levels.items() if level == ALIVE and before.get(t) == DEAD}:
                problems.append(f"came back in {window} by {spec.check_name}: {back}")
            before = before | levels
    return problems or world.problems or _sensors_at_rest(world)


def _statuses(world: World, spec: DeadmanSpec) -> Iterator[tuple[Tags, int, str]]:
    """Series, time and level of each."""
    for tags, time, _ in world.influx.buckets[STATUSES].pivoted("statuses"):
        if dict(tags)["_check_name"] == spec.check_name and (series := series_of_status(tags)):
            yield series, time, dict(tags)["_level"]


def _sensors_at_rest(world: World) -> list[str]:
    problems = []
    for choice, (spec, plain) in enumerate(SENSORS):
        run = _quiet(world, "sensor", choice, SPAN)
        if run.end != "ok":
            return [f"a quiet sensor fails: {run.end}"]
        lacking = plain.lacking(world.source, world.source, span_of(SPAN), HOUR_NS)
        if (run.result is None) != bool(lacking and not spec.pipeline):
            problems.append(f"sensor {choice} says {run.result}, and {lacking} are incomplete")
        if spec.pipeline:
            problems += _wrong_marks(world, lacking)
            if lacking:
                first = min(lacking)
                for device in TAGS:
                    world.put(device, first + HOUR_NS // 3, 1.0)
                _quiet(world, "sensor", choice, SPAN)
                problems += _wrong_marks(world, lacking - {first})
    return problems + world.problems


def _wrong_marks(world: World, lacking: set[int]) -> list[str]:
    marks = {start for (_, start), one in world.records(("incomplete",)).items() if one["incomplete"]}
    return [] if marks == lacking else [f"marked incomplete are {marks}, not {lacking}"]


def _quiet(world: World, verb: str, choice: int, span: Interval) -> Run:
    run = watch_run(world, f"quiet {verb} {choice}", verb, choice, span, world.now)
    run.finish()
    return run
