"""What runs at once in a schedule: verbs and writers, with the world that they begin with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.simulation.archive_runs import ARCHIVE_VERBS, archive_run
from tests.simulation.export_runs import export_run
from tests.simulation.influx import nanoseconds
from tests.simulation.pipelines import HOUR_NS, SHARED, SPAN
from tests.simulation.runs import Act, Run
from tests.simulation.script_runs import script_run
from tests.simulation.validate_runs import validate_run
from tests.simulation.watch_runs import WATCH_VERBS, watch_run
from tests.simulation.world import NEXT_TRY, World

#: number of the first beginning with rows of points that are gone, where nothing is archived
STALE = 18
Change = tuple[str, str, int, float]


@dataclass(frozen=True)
class Actor:
    """A run of a scenario.

    :param first: its first window, and ``last`` its last one
    :param per_block: how many windows are committed together; 0: all
    :param choice: which of several specs it has, of verbs that have some
    :param changes: of a writer: ``new``, ``over`` or ``remove``, device, nanoseconds after the first window's start, value
    """

    verb: str
    pipeline: str = ""
    first: int = 0
    last: int = 0
    run_id: str = ""
    skew_seconds: int = 0
    is_older: bool = False
    changes: tuple[Change, ...] = ()
    per_block: int = 0
    choice: int = 0

    def text(self) -> str:
        if self.verb == "write":
            return "write " + "; ".join(
                f"{kind} {device} {at} {value}" for kind, device, at, value in self.changes
            )
        older = " as of its older spec" if self.is_older else ""
        skew = f", clock {self.skew_seconds:+} s" if self.skew_seconds else ""
        return f"{self.verb} {self.pipeline}[{self.first}-{self.last}]{older} ({self.run_id}{skew})"


@dataclass(frozen=True)
class Scenario:
    """What runs at once.

    :param beginning: number of the world that it begins with
    :param has_own_clocks: whether the looks of a run move its own clock alone
    """

    variant: str
    beginning: int
    actors: tuple[Actor, ...]
    has_own_clocks: bool = False

    @property
    def is_monotone(self) -> bool:
        """Whether counts alone show each change of the source."""
        kinds = {kind for actor in self.actors for kind, *_ in actor.changes}
        if any(actor.verb == "erase" for actor in self.actors):
            kinds.add("remove")
        return kinds in (set(), {"new"}, {"remove"})

    @property
    def is_stale(self) -> bool:
        """Whether it begins with rows of points that are gone."""
        return self.beginning >= STALE

    @property
    def deletes(self) -> float:
        """How likely it is that what runs delete is what matters: where points go, others have values beside the rows, or specs change."""
        goes = any(kind == "remove" for actor in self.actors for kind, *_ in actor.changes)
        if self.variant in SHARED:
            return 0.8 if self.is_stale else 0.6 if goes else 0.3
        if self.variant == "respecified":
            return 0.4
        return 0.3 if goes or self.is_stale else 0.0

    def as_json(self, moves: Sequence[str]) -> str:
        return json.dumps(
            {
                "variant": self.variant,
                "beginning": self.beginning,
                "actors": [
                    {key: value for key, value in vars(actor).items() if value not in ("", 0, (), False)}
                    for actor in self.actors
                ],
                "moves": " ".join(moves),
                **({"has_own_clocks": True} if self.has_own_clocks else {}),
            }
        )


def from_json(text: str) -> tuple[Scenario, list[str]]:
    """Undo ``Scenario.as_json``."""
    values = json.loads(text)
    actors = tuple(
        Actor(**{**one, "changes": tuple((k, d, int(a), float(v)) for k, d, a, v in one.get("changes", ()))})
        for one in values["actors"]
    )
    own = values.get("has_own_clocks", False)
    return Scenario(values["variant"], values["beginning"], actors, own), values["moves"].split()


# as runs


def rolled_up(
    world: World,
    name: str,
    span: Interval,
    info: RunInfo,
    skew: timedelta = timedelta(0),
    options: RollupOptions | None = None,
    *,
    is_older: bool = False,
) -> Callable[[], Any]:
    spec = world.pipeline(name).spec(is_older=is_older)
    clock = world.clock_of(skew)
    return lambda: roll_up(spec, span, info, clock, options=options or RollupOptions())


def make_run(world: World, actor: Actor, number: int, try_number: int = 1) -> Run:
    """A run of an actor that has not begun."""
    name = f"{number}: {actor.text()}"
    if actor.verb == "write":
        return Run(world, name, lambda: _changes(actor.changes))
    windows = world.pipeline(actor.pipeline).windows
    span = Interval(windows[actor.first].start, windows[actor.last].stop)
    info = RunInfo(dag_id="dag", task_id=actor.pipeline, run_id=actor.run_id, try_number=try_number)
    skew = _skew(world, actor, try_number)
    spec, clock = world.pipeline(actor.pipeline).spec(is_older=actor.is_older), world.clock_of(skew)
    if any(actor.verb in verbs for verbs in ARCHIVE_VERBS.values()):
        make = archive_run(
            world, actor.verb, windows[actor.first : actor.last + 1], info, world.clock_of(skew)
        )
        return Run(world, name, make, verb=actor.verb)
    if actor.verb == "validate":
        return Run(world, name, validate_run(span, info, clock), verb=actor.verb)
    if actor.verb == "export":
        return export_run(world, name, span, info, clock)
    if actor.verb == "script":
        return script_run(world, name, span, info, clock)
    if actor.verb in WATCH_VERBS:
        return watch_run(world, name, actor.verb, actor.choice, span, clock)
    columns = frozenset(f"temp_{name}" for name in spec.aggregates)
    if actor.verb == "reconcile":
        return Run(
            world, name, lambda: reconcile(spec, span, info, clock), actor.verb, actor.pipeline, columns
        )
    starts = [nanoseconds(window.start) for window in windows[actor.first : actor.last + 1]]
    options = RollupOptions(
        heal="3h" if actor.verb == "heal" else None, windows_per_block=actor.per_block or None
    )
    make = rolled_up(world, actor.pipeline, span, info, skew, options, is_older=actor.is_older)
    return Run(world, name, make, actor.verb, actor.pipeline, columns, starts)


def _skew(world: World, actor: Actor, try_number: int) -> timedelta:
    """Of the clock of a run; where each has its own, none but its own shows that a next try comes later."""
    own = timedelta(seconds=actor.skew_seconds)
    return own + (try_number - 1) * NEXT_TRY if world.has_own_clocks else own


def _changes(changes: Sequence[Change]) -> Iterator[Act]:
    for kind, device, at, value in changes:
        time = nanoseconds(SPAN.start) + at
        if kind == "remove":
            hour = time - (time - nanoseconds(SPAN.start)) % HOUR_NS
            yield Act(
                f"points of {device} go in hour {at // HOUR_NS}",
                lambda world, d=device, h=hour: world.remove(d, h, h + HOUR_NS),
            )
        else:
            yield Act(
                f"point of {device} in hour {at // HOUR_NS}: {value}",
                lambda world, d=device, t=time, v=value: world.put(d, t, v),
            )
