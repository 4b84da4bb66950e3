"""What a schedule happens in: a simulated server, a clock, pipelines, and everything that has become of the source."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_influx_rollup.windows.interval import Interval
from tests.simulation.influx import SimulatedInflux, nanoseconds
from tests.simulation.lines import Line, Tags
from tests.simulation.pipelines import ARCHIVED, HOURS, VARIANTS, WINDOWS, Pipeline
from tests.simulation.plain_rows import Rows, rows_of
from tests.simulation.store import STORE_ACTIONS, SimulatedStore
from tests.simulation.tables import TABLE_ACTIONS

NOW = datetime(2025, 3, 9, tzinfo=UTC)
#: how far a look moves a clock
LOOK = timedelta(milliseconds=1)
#: tags by device; those of one are a part of those of another, which a delete by tags takes along
TAGS: dict[str, Tags] = {
    "a": (("device", "a"), ("site", "x")),
    "b": (("device", "bob"), ("site", "x")),
    "c": (("device", "c"), ("site", "y")),
    "d": (("device", "a"),),
}
BY_HAND = ("note", "by hand")
#: what series have that are erased
ERASED = (("device", "bob"),)
ERASED_NAME = ERASED[0][1]
#: bucket of the statuses of checks
STATUSES = "_monitoring"
#: after which a run that has died is tried again
NEXT_TRY = timedelta(minutes=1)


RETENTION = timedelta(days=2)
#: of a user's script, by tags and time
ScriptRows = dict[tuple[Tags, int], float]


@dataclass(frozen=True, slots=True)
class Over:
    """What another pipeline has made of a value.

    :param is_computed: whether that one computes the same, so that nobody tears the window
    :param value: what is there now; None when it was deleted
    :param late_by: name of the run that wrote it and has not ended well, when the owner has claimed the window since that run last
        looked at its claims
    """

    is_computed: bool
    value: Any = None
    late_by: str = ""


@dataclass
class World:
    """The world.

    :param source: value of each point that is in the source now, by tags and time
    :param history: what the source was after each change
    :param changed_at: the clock of each change
    :param generations: the largest that the ledger has had, by pipeline and start of a window
    :param claims: by id, how long the history was when the run that has it began
    :param problems: what must not have happened and has
    :param store: the archive
    :param came: how long the history was when a value came, by tags and time
    :param unseen: points that a purge took along which came after its last look: nobody can know them, unless an archive is
        being made that has read them
    :param erasure_began: how long the history was when an erasure began; None when none has
    :param erased_since: the same of the last one that has ended well, while no validation was going on
    :param runs: those of the schedule
    :param is_monotone: whether points only come, or only go, so that counts alone show each change
    :param late: who had a window when a run wrote rows of it that had hung since it looked, by pipeline and start
    :param deleted_late: series and fields that are gone, by start and claim of runs that have hung before a delete until nobody
        kept what they had put aside, and have not written it back; and of those that forgot what such a run had just
        deleted, and have not looked again; and of those that have deleted what came there from a pipeline that they could
        not know
    :param written_over: values of a pipeline, by it and start, that another one has replaced by what the source does not give
        any more, or deleted, and that are not right again
    :param committed_rows: what the rows were when a window was last seen COMMITTED, of tiers that others are made of
    :param claimed: pipeline, start and name of the run of each claim, in order
    :param commits: pipeline, start and name of the run
    :param strays: files that a run has written of what it had read before an erasure began or ended
    :param scripted: the rows that a script has written under a claim
    :param taken: claims of erasures, which write no rows
    :param erasures: how often an erasure has begun, or ended well
    :param of_files: the latest generation that a receipt had, by stage of files and start
    :param gone_back: those whose receipt tells of an earlier one now
    :param has_own_clocks: whether the looks of a run move its own clock alone, so that it tells no order of the runs' steps
    :param clocks: how many there are of these
    :param source_key: length of the history, and what stands for it (see ``state_keys.py``)
    """

    variant: str
    influx: SimulatedInflux = field(init=False)
    clock: datetime = NOW
    source: dict[tuple[Tags, int], float] = field(default_factory=dict)
    history: list[dict[tuple[Tags, int], float]] = field(default_factory=lambda: [{}])
    changed_at: list[datetime] = field(default_factory=lambda: [NOW])
    generations: dict[tuple[str, int], int] = field(default_factory=dict)
    claims: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    has_values_by_hand: bool = False
    store: SimulatedStore = field(default_factory=SimulatedStore)
    came: dict[tuple[Tags, int], int] = field(default_factory=dict)
    unseen: dict[tuple[Tags, int], float] = field(default_factory=dict)
    erasure_began: int | None = None
    erased_since: int | None = None
    runs: Sequence[Any] = ()
    is_monotone: bool = False
    late: dict[tuple[str, int], str] = field(default_factory=dict)
    deleted_late: dict[tuple[int, str], set[tuple[Tags, str]]] = field(default_factory=dict)
    written_over: dict[tuple[str, int], dict[tuple[Tags, str, int], Over]] = field(default_factory=dict)
    committed_rows: dict[tuple[str, int], Rows] = field(default_factory=dict)
    claimed: list[tuple[str, int, str]] = field(default_factory=list)
    commits: set[tuple[str, int, str]] = field(default_factory=set)
    strays: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    erasures: int = 0
    scripted: dict[str, ScriptRows] = field(default_factory=dict)
    of_files: dict[tuple[str, int], int] = field(default_factory=dict)
    gone_back: set[tuple[str, int]] = field(default_factory=set)
    has_own_clocks: bool = False
    clocks: int = 0
    source_key: tuple[int, bytes] | None = None

    def __post_init__(self) -> None:
        self.influx = SimulatedInflux(self.now)
        retention = RETENTION if self.variant == "expiring" else timedelta(0)
        self.influx.ensure("raw", int(retention.total_seconds()))
        for name in ("rolled", "daily", "ledger", STATUSES):
            self.influx.ensure(name)

    def copy(self) -> World:
        """A world of its own that was the same until now."""
        other = World(self.variant)
        other.influx = self.influx.copy(other.now)
        other.clock, other.has_values_by_hand = self.clock, self.has_values_by_hand
        other.source, other.history = dict(self.source), list(self.history)
        other.changed_at = list(self.changed_at)
        other.generations, other.claims = dict(self.generations), dict(self.claims)
        other.store, other.came = self.store.copy(), dict(self.came)
        other.unseen = dict(self.unseen)
        other.committed_rows = dict(self.committed_rows)
        other.scripted = dict(self.scripted)
        other.erasure_began, other.erased_since = self.erasure_began, self.erased_since
        other.of_files = dict(self.of_files)
        return other

    @property
    def is_archived(self) -> bool:
        return self.variant in ARCHIVED

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        return VARIANTS[self.variant]

    def pipeline(self, name: str) -> Pipeline:
        return next(one for one in self.pipelines if one.name == name)

    def now(self) -> datetime:
        """A clock that moves on with each look, unless each run has its own."""
        if not self.has_own_clocks:
            self.clock += LOOK
        return self.clock

    def clock_of(self, skew: timedelta) -> Callable[[], datetime]:
        """The clock of a worker."""
        if not self.has_own_clocks:
            return lambda: self.now() + skew
        self.clocks += 1
        # no two runs see the same time
        apart, looks = skew + timedelta(microseconds=self.clocks), itertools.count(1)
        return lambda: self.clock + apart + next(looks) * LOOK

    def sleep(self, seconds: float) -> None:
        self.clock += timedelta(seconds=seconds)

    def act(self, step: Any) -> Any:
        """Act a step out, on the server or in the store."""
        if type(step) in STORE_ACTIONS:
            return self.store.act(self.influx, step)
        if type(step) in TABLE_ACTIONS:
            return TABLE_ACTIONS[type(step)](self.store, self.influx, step)
        return self.influx.act(step)

    # the source

    def put(self, device: str, time_ns: int, value: float) -> None:
        """A point comes, or a value is replaced."""
        tags = TAGS[device]
        self.influx.write("raw", [Line("m", tags, (("temp", value),), time_ns)])
        self.source[tags, time_ns] = value
        self._remember()
        self.came[tags, time_ns] = len(self.history) - 1

    def remove(self, device: str, start_ns: int, stop_ns: int) -> None:
        """The points of a device go, with those of all that have its tags."""
        self.influx.delete("raw", "m", start_ns, stop_ns, dict(TAGS[device]))
        wanted = set(TAGS[device])
        gone = [key for key in self.source if wanted.issubset(key[0]) and start_ns <= key[1] < stop_ns]
        for key in gone:
            del self.source[key]
        self._remember()

    def forget(self, keys: Iterable[tuple[Tags, int]]) -> None:
        """Points are gone for good, and rightly so."""
        for key in keys:
            self.source.pop(key, None)
        self._remember()

    def take_unseen(self, keys: Iterable[tuple[Tags, int]]) -> None:
        """Points are gone that nobody could know."""
        gone = {key: self.source[key] for key in keys}
        self.unseen |= gone
        self.forget(gone)

    def find_unseen(self, archived: Mapping[tuple[Tags, int], float]) -> None:
        """An archive is there that had read some of them."""
        found = {
            key: value
            for key, value in self.unseen.items()
            if archived.get(key) == value and not self.is_erased(key[0])
        }
        if found:
            self.source |= found
            self.unseen = {key: value for key, value in self.unseen.items() if key not in found}
            self._remember()

    def _remember(self) -> None:
        self.history.append(dict(self.source))
        self.changed_at.append(self.clock)

    def nobody_has_looked(self) -> None:
        """Forget what the source was before."""
        self.history, self.changed_at = self.history[-1:], self.changed_at[-1:]
        self.came = dict.fromkeys(self.source, 0)

    def erasure_begins(self) -> None:
        self.erasure_began = len(self.history) - 1
        self.erasures += 1

    def is_validated_now(self) -> bool:
        """Whether a validation is going on: it may have read points of a series before they were erased, and say so nowhere."""
        return any(run.verb == "validate" and run.began_at is not None and not run.end for run in self.runs)

    def is_erased(self, tags: Tags) -> bool:
        """Whether an erasure of a series has begun."""
        return self.erasure_began is not None and set(ERASED) <= set(tags)

    def judged(self, rows: Rows, pipeline: Pipeline, start: int, *, at_rest: bool) -> Rows:
        """Those of a window that its pipeline answers for: nobody has erased them, or written over them.

        :param at_rest: whether who puts old values back over new ones had time to tear the window, unless it hung before that and died after it
        """
        over = self.written_over.get((pipeline.name, start), {})
        others = {key for key, one in over.items() if one.is_computed or one.late_by or not at_rest}
        return {key: value for key, value in self.unerased(rows).items() if key not in others}

    def unerased(self, rows: Rows) -> Rows:
        """But for those of series whose erasure has begun."""
        if self.erasure_began is None:
            return rows
        return {key: value for key, value in rows.items() if not self.is_erased(key[0])}

    def write_by_hand(self) -> None:
        """Values of a person beside those of the pipelines, of the same series and times."""
        self.has_values_by_hand = True
        for hour in range(HOURS):
            tags = TAGS["a"]
            time = nanoseconds(WINDOWS[hour].start)
            self.influx.write("rolled", [Line("m", tags, (BY_HAND,), time)])

    # what is there

    def expected(self, pipeline: Pipeline, windows: Iterable[Interval], version: int = -1) -> Rows:
        """What the rows must be, by the source as it was after a change."""
        spans = [(nanoseconds(window.start), nanoseconds(window.stop)) for window in windows]
        return rows_of(self.history[version], spans, pipeline.aggregates, pipeline.group_by)

    def stored(self, pipeline: Pipeline) -> Rows:
        """The rows that are there, but for values of others."""
        bucket = self.influx.buckets[pipeline.target]
        others = [one for one in self.pipelines if one is not pipeline and one.target == pipeline.target]
        taken_over = {name for one in others for name in one.aggregates}
        own = {f"temp_{name}" for name in {*pipeline.aggregates, *pipeline.older} - taken_over}
        return {
            (tags, name, time): value
            for (tags, name), values in bucket.measurements.get(pipeline.measurement, {}).items()
            if name in own
            for time, value in values.items()
        }

    def has_by_hand(self) -> bool:
        """All of them, but for those that a run took along which died right after it had hung: nobody can know them."""
        lost = {start for start, _ in self.deleted_late if (TAGS["a"], BY_HAND[0]) in self.lost_at(start)}
        starts = {nanoseconds(window.start) for window in WINDOWS[:HOURS]}
        return starts <= {*self.by_hand(), *lost}

    def lost_at(self, start: int) -> set[tuple[Tags, str]]:
        """Series and fields that runs took along which died right after they had hung."""
        return {one for (time, _), some in self.deleted_late.items() if time == start for one in some}

    def by_hand(self) -> set[int]:
        """Starts of the windows where they are."""
        key = TAGS["a"], BY_HAND[0]
        return set(self.influx.buckets["rolled"].measurements.get("m", {}).get(key, {}))

    # the ledger, read by itself

    def records(self, names: Iterable[str]) -> dict[tuple[str, int], dict[str, Any]]:
        """Some fields of all receipts, by pipeline and start."""
        found: dict[tuple[str, int], dict[str, Any]] = {}
        wanted = tuple(names)
        for tags, time, values in self.influx.buckets["ledger"].pivoted("window_receipt"):
            chosen = {name: values[name] for name in wanted if name in values}
            about = dict(tags)
            # the generation of a restore is that of the archive that it has read
            if chosen and about["stage"] != "restore":
                found.setdefault((about["pipeline"], time), {}).update(chosen)
        return found

    def look_at_ledger(self, version: int) -> None:
        """After a write to the ledger: generations only grow; whose claims are new.

        :param version: of the source, when the run began that wrote
        """
        names = "state", "generation", "claimed_by", "committed_by"
        for key, fields in self.records(names).items():
            generation, known = fields.get("generation", 0), self.generations.get(key, 0)
            # a run that is overtaken after its last look commits in vain, and does not know the other one's number
            claims = fields.get("claimed_by"), fields.get("committed_by")
            is_in_vain = fields.get("state") == "COMMITTED" and claims[0] != claims[1]
            is_of_files = key[0] not in ("scripted", *(one.name for one in self.pipelines))
            if generation < known and not is_in_vain and not is_of_files:
                self.problems.append(f"generation of {key} went from {known} to {generation}")
            self.generations[key] = generation
            self.claims.setdefault(fields.get("claimed_by", ""), version)
        self._keep_committed()
        self._look_at_files()

    def _look_at_files(self) -> None:
        """Receipts of archives and purges that tell of an earlier generation than they did before."""
        for tags, time, values in self.influx.buckets["ledger"].pivoted("window_receipt"):
            about = dict(tags)
            if about["stage"] not in ("archive", "purge"):
                continue
            key = about["stage"], time
            known = self.of_files.get(key, 0)
            self.of_files[key] = max(known, values["generation"])
            (self.gone_back.add if values["generation"] < known else self.gone_back.discard)(key)

    def _keep_committed(self) -> None:
        """Rows of tiers that others are made of."""
        below = {one.below for one in self.pipelines if one.below}
        if not below:
            return
        committed = self.committed()
        for pipeline in self.pipelines:
            if pipeline.name not in below:
                continue
            stored = self.stored(pipeline)
            for window in pipeline.windows:
                key = pipeline.name, nanoseconds(window.start)
                if key in committed:
                    self.committed_rows[key] = {k: v for k, v in stored.items() if k[2] == key[1]}

    def committed(self) -> dict[tuple[str, int], str]:
        """The claim of each window that counts as COMMITTED."""
        found = {}
        for key, fields in self.records(("state", "claimed_by", "committed_by")).items():
            claims = fields.get("claimed_by") or "", fields.get("committed_by") or ""
            if fields.get("state") == "COMMITTED" and ("" in claims or claims[0] == claims[1]):
                found[key] = claims[1]
        return found
