"""Verbs that run at once, one step of one of them at a time, in an order that a seed decides; what must be true of the points after."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pandas as pd

from airflow_provider_influx_rollup.client.driver import act
from airflow_provider_influx_rollup.lifecycle.archive.archive import archive
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import GridSpec, RollupSpec
from airflow_provider_influx_rollup.lifecycle.purge.purge import purge
from airflow_provider_influx_rollup.lifecycle.purge.spec import PurgeSpec
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.lifecycle.restore.restore import restore
from airflow_provider_influx_rollup.lifecycle.rollup.rollup import roll_up
from airflow_provider_influx_rollup.lifecycle.run.options import RollupOptions
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.step import Change
from airflow_provider_influx_rollup.steps.influx import Delete, Gather, Report, Sleep
from airflow_provider_influx_rollup.steps.store import FingerprintSource
from airflow_provider_influx_rollup.stores.actions import actions_with
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.oracle import query
from tests.scenes.archive_scene import VERSIONS, WINDOW, Point, point
from tests.scenes.purge_scene import ALWAYS, HOUR, PURGED_AT, Fact, PurgeScene, as_facts
from tests.scenes.sent_flux import kind_of
from tests.scenes.stepped_run import SteppedRun

LENGTH = timedelta(hours=1)
WINDOWS = [
    Interval(WINDOW.start + number * LENGTH, WINDOW.start + (number + 1) * LENGTH) for number in range(3)
]
SPAN = Interval(WINDOWS[0].start, WINDOWS[-1].stop)
VERBS = {"roll up": 2, "daily": 1, "reconcile": 2, "archive": 3, "purge": 5, "restore": 4, "write": 4}
GONE = ("purged", "deleting")
Rows = dict[tuple[int, str, str], float]


class Verb(SteppedRun):
    """One run of a verb, or a writer; what a Gather has in it is acted out one by one, in any order.

    :param make: the steps, of a new run each time
    """

    def __init__(self, scene: Interleaving, name: str, make: Callable[[], Any]) -> None:
        super().__init__()
        self.scene, self.name, self.make = scene, name, make
        self.known = len(scene.points)
        self.may_have_written = False
        self.begin(make())

    def advance(self) -> str:
        """Act one step out; its name. What is no error of the product's own comes out."""
        step = self.pending
        if not isinstance(step, Gather):
            answer, error = self._act(step)
            self.answer(answer, error)
        else:
            number = self.waiting[self.scene.random.randrange(len(self.waiting))]
            step = step.steps[number]
            answer, error = self._act(step)
            self.answer_part(number, answer, error)
        if self.end:
            self.scene.ended.append(self)
        return kind_of(step)

    def _act(self, step: Any) -> tuple[Any, Exception | None]:
        scene = self.scene
        if isinstance(step, FingerprintSource):
            self.known = len(scene.points)
        if isinstance(step, Delete) and step.bucket == scene.bucket:
            scene.note_gap(step.interval, self.known)
        self.may_have_written |= isinstance(step, Change)
        try:
            if isinstance(step, Report):
                return scene.tell(step), None
            if isinstance(step, Sleep):
                scene.clock = scene.now() + timedelta(seconds=step.seconds)
                return None, None
            return step() if callable(step) else act(step, scene.client, scene.actions), None
        except Exception as error:  # noqa: BLE001 - the verb gets it, as from the driver
            return None, error


class Interleaving(PurgeScene):
    """Three windows that are rolled up by two pipelines and a tier, and archived; all else is decided by a seed.

    :param schedule: what was done, for people
    :param ended: the verbs that have come to an end of their own
    """

    def begin(self, seed: int) -> None:
        """Write, roll up, archive."""
        self.random = Random(seed)
        self.schedule: list[str] = []
        self.gaps: list[int] = []
        self.ended: list[Verb] = []
        self.actions = actions_with(self.store)
        self.clock = PURGED_AT
        self._runs = itertools.count(1)
        for number in range(3):
            for _ in range(self.random.randint(1, 3)):
                self.land_in(number)
        for name in ("hourly", "most", "daily"):
            self.run_alone(f"roll up {name}", self._roll_up(name, SPAN))
        self.run_alone("archive", self._archive(WINDOWS))

    @property
    def most(self) -> RollupSpec:
        """The pipeline that purges do not require."""
        return replace(
            self.hourly, pipeline="most", target_measurement="m_most", aggregates={"temp": ("max", "count")}
        )

    @property
    def daily(self) -> RollupSpec:
        """The tier above, of windows as long as all that is here."""
        return replace(super().daily, grid=GridSpec("3h"))

    def now(self) -> Any:
        """A clock that moves with each look."""
        self.clock = (self.clock or PURGED_AT) + timedelta(milliseconds=50)
        return self.clock

    def land_in(self, number: int) -> None:
        """A new point of a window, at a time of its own; sums of the values are exact."""
        count = len(self.points)
        device = self.random.choice("ab")
        at = self.random.choice((0, HOUR // 2, HOUR - 1000)) + count
        self.add(point(number * HOUR + at, {"device": device}, "temp", count * 0.25))

    def note_gap(self, interval: Interval, known: int) -> None:
        """Points that came after a purge's last look: the documented gap, when they are not in the bucket any more."""
        self.gaps += [
            number
            for number, one in enumerate(self.points)
            if number >= known and interval.start_ns <= one.time_ns < interval.stop_ns
        ]

    # what happens

    def play(self) -> None:
        """One to three rounds of two to four verbs; then all that died is run again."""
        died = self.play_rounds()
        self.random.shuffle(died)
        for verb in died:
            self.run_alone(verb.name, verb.make, may_fail=True)
            self.require_marked()

    def play_rounds(self) -> list[Verb]:
        """The rounds; the verbs that died in them."""
        died: list[Verb] = []
        for _ in range(self.random.randint(1, 3)):
            count = self.random.randint(2, 4)
            names = self.random.choices(list(VERBS), list(VERBS.values()), k=count)
            died += self._play_round([self._make(name) for name in names])
            self.require_marked()
        return died

    def run_alone(self, name: str, make: Callable[[], Any], *, may_fail: bool = False) -> Any:
        """A verb to its end; its result."""
        verb = Verb(self, name, make)
        while not verb.end:
            verb.advance()
        self.schedule.append(f"{name} alone: {verb.end}")
        assert may_fail or verb.end == "ok", f"{name}: {verb.end}"
        return verb.result

    def _play_round(self, going: list[Verb]) -> list[Verb]:
        died = []
        chance = self.random.choice((0, 0.01, 0.03))
        burst = self.random.choice((1, 3, 10))
        self.schedule.append("at once: " + ", ".join(verb.name for verb in going))
        while going := [verb for verb in going if not verb.end]:
            verb = self.random.choice(going)
            names = []
            for _ in range(self.random.randint(1, burst)):
                if self.random.random() < chance:
                    verb.die()
                    again = self.random.random() < 0.5
                    (going if again else died).append(Verb(self, verb.name, verb.make) if again else verb)
                if verb.end:
                    break
                names.append(verb.advance())
            self.schedule.append(f"  {verb.name}: {' '.join(names)} {verb.end}")
        return died

    def _make(self, name: str) -> Verb:
        some = [WINDOWS[1]] if self.random.random() < 0.6 else sorted(self._some_windows())
        span = Interval(some[0].start, some[-1].stop)
        pipeline = self.random.choice(("hourly", "most"))
        required = self.random.choice((("hourly",), ("hourly", "daily")))
        made = {
            "roll up": self._roll_up(pipeline, span),
            "daily": self._roll_up("daily", SPAN),
            "reconcile": self._reconcile(pipeline, span),
            "archive": self._archive(some),
            "purge": lambda: purge(
                PurgeSpec(archive=self.spec, require_pipelines=required, min_age="0s", quiet_for="0s"),
                some,
                self._run(),
                self.now,
            ),
            "restore": self._restore(span),
            "write": self._write,
        }[name]
        self._named = getattr(self, "_named", 0) + 1
        hours = "".join(str(WINDOWS.index(one)) for one in some)
        detail = {"roll up": pipeline, "reconcile": pipeline}.get(name, "")
        return Verb(self, f"{name} {detail}[{hours}]#{self._named}", made)

    def _some_windows(self) -> list[Interval]:
        return self.random.sample(WINDOWS, self.random.randint(1, 3))

    def _run(self) -> RunInfo:
        return RunInfo(dag_id="dag", task_id="task", run_id=f"run {next(self._runs)}", try_number=1)

    def _pipeline(self, name: str) -> RollupSpec:
        return {"hourly": self.hourly, "most": self.most, "daily": self.daily}[name]

    def _roll_up(self, name: str, interval: Interval) -> Callable[[], Any]:
        return lambda: roll_up(self._pipeline(name), interval, self._run(), self.now, options=RollupOptions())

    def _reconcile(self, name: str, interval: Interval) -> Callable[[], Any]:
        return lambda: reconcile(self._pipeline(name), interval, self._run(), self.now)

    def _archive(self, windows: list[Interval]) -> Callable[[], Any]:
        return lambda: archive(self.spec, windows, self._run(), self.now, VERSIONS)

    def _restore(self, interval: Interval, *, overwrite: bool = False) -> Callable[[], Any]:
        spec = self.restore_spec(overwrite=overwrite, allow_missing=True)
        return lambda: restore(spec, interval, self._run(), self.now)

    def _write(self) -> Iterator[Callable[[], None]]:
        for _ in range(self.random.randint(1, 3)):
            yield lambda: self.land_in(self.random.choice((0, 1, 1, 1, 2)))

    # what must be true

    def require_marked(self) -> None:
        """No point is nowhere, none is invented, and a window that lacks points says so."""
        bucket = self.facts()
        states = self.marks()
        for window in WINDOWS:
            have, filed = facts_in(bucket, window), self.filed(window)
            must = as_facts(self.points_of(window))
            lost, invented = must - have - filed, (have | filed) - as_facts(self.points)
            assert not lost, f"{window}: lost {lost}"
            assert not invented, f"{window}: invented {invented}"
            if must - have:
                about = (states.get(window.start_ns), self.document(window))
                assert about[0] in GONE, f"{window} has no mark: {about}"
                assert about[1] in ("done", "deleting"), f"{window} has no document: {about}"
        self.require_chain()

    def require_rows(self) -> None:
        """Rows are those of all points; of a window that is marked, those of all that came before some moment, with all that went."""
        bucket, states = self.facts(), self.marks()
        for spec in (self.hourly, self.most):
            name = spec.target_measurement or self.measurement
            rows = self.rows(name)
            for window in WINDOWS:
                found = {key: value for key, value in rows.items() if key[0] == window.start_ns}
                have = facts_in(bucket, window)
                wanted = [aggregates(have, spec, window)]
                if states.get(window.start_ns) in GONE:
                    wanted = list(self._rows_before(spec, window, have))
                assert found in wanted, f"{window} of {name}: {found}, not {wanted}"
        daily: dict[tuple[str, str], float] = defaultdict(float)
        for (_, device, field), value in self.rows(self.measurement).items():
            daily[device, field] += value
        tier = {key[1:]: value for key, value in self.rows("m_daily").items()}
        assert tier == daily, f"daily: {tier}, not {dict(daily)}"

    def _rows_before(self, spec: RollupSpec, window: Interval, have: set[Fact]) -> Iterator[Rows]:
        came = [next(iter(as_facts([one]))) for one in self.points_of(window)]
        gone = [number for number, fact in enumerate(came, start=1) if fact not in have]
        least = max(gone, default=1) if spec.pipeline == "hourly" else 1
        for count in range(least, len(came) + 1):
            yield aggregates(set(came[:count]), spec, window)

    def require_rest(self) -> None:
        """After archives and reconciles all is right, and reconcile finds nothing; a restore brings all back."""
        self.run_alone("archive", self._archive(WINDOWS))
        self._require_reconciled()
        self.require_marked()
        self.require_rows()
        self.run_alone("restore", self._restore(SPAN, overwrite=True))
        assert as_facts(self.points_that_must_be()) - self.facts() == set()
        assert set(self.marks().values()) <= {"lifted"}, self.marks()
        assert [self.document(window) for window in WINDOWS] == [""] * 3
        self._require_reconciled()
        self.require_marked()
        self.require_rows()

    def _require_reconciled(self) -> None:
        for name in ("hourly", "most", "daily"):
            self.run_alone(f"reconcile {name}", self._reconcile(name, SPAN))
            again = self.run_alone(f"reconcile {name} again", self._reconcile(name, SPAN)).as_json()
            assert again["dirty_total"] == 0, f"{name} is not at rest: {again}"

    # reads without the product

    def points_of(self, window: Interval) -> list[Point]:
        """What was written into a window, in this order, without what fell into the documented gap and is gone."""
        return [one for one in self.points_that_must_be() if window.start_ns <= one.time_ns < window.stop_ns]

    def points_that_must_be(self) -> list[Point]:
        """All points that were written, without what fell into the documented gap and is gone."""
        if not self.gaps:
            return self.points
        held = self.facts().union(*(self.filed(window) for window in WINDOWS))
        gone = {number for number in self.gaps if not as_facts([self.points[number]]) <= held}
        return [one for number, one in enumerate(self.points) if number not in gone]

    def rows(self, measurement: str) -> Rows:
        """What a pipeline made, by time, device and field."""
        flux = f'from(bucket: "{self.rolled}") |> {ALWAYS} |> filter(fn: (r) => r._measurement == "{measurement}")'
        found = query(self.server.url, self.server.org, self.server.token, flux)
        return {
            (pd.Timestamp(row["_time"]).value, row["device"], row["_field"]): float(row["_value"])
            for row in found
        }

    def marks(self) -> dict[int, str]:
        """States of the marks by the window's start."""
        flux = f"""from(bucket: "{self.ledger}") |> {ALWAYS}
            |> filter(fn: (r) => r._measurement == "purged_window" and r._field == "state")"""
        rows = query(self.server.url, self.server.org, self.server.token, flux)
        return {pd.Timestamp(row["_time"]).value: row["_value"] for row in rows}

    def document(self, window: Interval) -> str:
        """What the file beside the archive says, empty when there is none."""
        path = (
            self.folder / f"window={window.start:%Y%m%dT%H%M%SZ}_{window.stop:%Y%m%dT%H%M%SZ}" / "purge.json"
        )
        return str(json.loads(path.read_bytes())["state"]) if path.exists() else ""


def facts_in(facts: Iterable[Fact], window: Interval) -> set[Fact]:
    """Those of a window."""
    return {fact for fact in facts if window.start_ns <= fact[0] < window.stop_ns}


def aggregates(facts: Iterable[Fact], spec: RollupSpec, window: Interval) -> Rows:
    """What a pipeline makes of the points of a window, in plain Python."""
    values: dict[str, list[float]] = defaultdict(list)
    for _, ((_, device),), _, value in facts:
        values[device].append(value)
    functions: dict[str, Callable[[list[float]], float]] = {"count": len, "sum": sum, "max": max}
    return {
        (window.start_ns, device, f"temp_{name}"): float(functions[name](some))
        for device, some in values.items()
        for name in spec.aggregates["temp"]
    }
