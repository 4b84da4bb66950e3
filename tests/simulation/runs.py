"""A run of a verb, or a writer, whose steps are acted out one by one, rightly or not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_influx_rollup.exceptions import InfluxRollupError, InfluxUnavailable, StoreUnavailable
from airflow_provider_influx_rollup.flux.chains import PartialAggregates, RollupChains
from airflow_provider_influx_rollup.flux.query import Together
from airflow_provider_influx_rollup.steps.influx import Delete, Gather, Query, Report, Sleep, Write
from airflow_provider_influx_rollup.steps.store import (
    CompareParts,
    FingerprintSource,
    PutNew,
    PutOver,
    RemoveFiles,
    WritePoints,
)
from airflow_provider_influx_rollup.steps.table import CommitPoints
from tests.scenes.stepped_run import SteppedRun
from tests.simulation.archive_invariants import in_archive, require_erased, require_kept
from tests.simulation.erase_turns import EraseTurns
from tests.simulation.fence_turns import PUBLISHES, FenceTurns
from tests.simulation.purge_turns import PurgeTurns
from tests.simulation.script_answers import is_run, rows_of_script, write_rows
from tests.simulation.store import SPLIT, STORE_ACTIONS
from tests.simulation.tables import TABLE_ACTIONS, begin_commit, commit_points
from tests.simulation.turns import Turns
from tests.simulation.world import World

#: what may become of a step: nothing is done; it is done, and the answer is an error; it is done twice
FAILS, LOST, TWICE = "f", "l", "d"
OF_FILES: dict[str, Any] = {"purge": PurgeTurns, "erase": EraseTurns, **dict.fromkeys(PUBLISHES, FenceTurns)}
#: who writes rows, and repairs them
ROLLUPS = ("roll up", "heal", "reconcile")


@dataclass
class _Reads:
    """A script of several reads, each of which finds what is there at its own time.

    :param left: those that are to be done
    :param join: makes the answer of theirs
    """

    left: list[Any]
    join: Callable[[list[Any]], Any]
    answers: list[Any] = field(default_factory=list)


#: steps that read first, and write then
IN_TWO = frozenset((*SPLIT, CommitPoints))


@dataclass(frozen=True)
class _Prepared:
    """What is going to be written, of what was read.

    :param write: writes it; its answer
    :param files: paths of those that it writes
    :param erasures: how often an erasure had begun, or ended, when the points were read
    """

    write: Callable[[], Any]
    files: Collection[str]
    erasures: int


def reads_of(step: Any) -> _Reads | None:
    """The reads of a script; None when it has one only."""
    if type(step) not in SCRIPTS:
        return None
    split, join = SCRIPTS[type(step)]
    parts = split(step)
    return _Reads(parts, join) if len(parts) > 1 else None


def _in_one_list(answers: list[list[Any]]) -> list[Any]:
    return [one for answer in answers for one in answer]


def _in_one_dict(answers: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for answer in answers:
        found |= answer
    return found


#: scripts of several reads: what cuts them, and what makes one answer of several
SCRIPTS: dict[type[Any], tuple[Callable[[Any], list[Any]], Callable[[list[Any]], Any]]] = {
    Together: (lambda step: list(step.parts), tuple),
    RollupChains: (lambda step: [replace(step, chains=[one]) for one in step.chains], _in_one_list),
    PartialAggregates: (lambda step: [replace(step, names=[one]) for one in step.names], _in_one_dict),
}


@dataclass
class Act:
    """A step of a writer.

    :param text: for people
    """

    text: str
    do: Callable[[World], None]


class Run(SteppedRun):
    """One run.

    :param make: its steps; called when it begins
    :param verb: which may delete points
    :param turns: what it knows of whose turn it is, and what it may say; None: what its verb has
    :param last_look: how long the history was when it last looked at all points of the source
    """

    def __init__(
        self,
        world: World,
        name: str,
        make: Callable[[], Any],
        verb: str = "",
        pipeline: str = "",
        columns: Collection[str] = (),
        windows: Sequence[int] = (),
        turns: Any = None,
    ) -> None:
        super().__init__()
        self.world, self.name, self.make, self.verb = world, name, make, verb
        self.turns = turns or self._turns(pipeline, columns, windows)
        self.last_look = 0
        self.began_at: int | None = None
        self.first_version: int | None = None
        self._reads: dict[int, _Reads] = {}
        self._prepared: dict[int, _Prepared] = {}
        self._done: tuple[Any, str, int] | None = None

    def _turns(self, pipeline: str, columns: Collection[str], windows: Sequence[int]) -> Any:
        if self.verb in OF_FILES:
            return OF_FILES[self.verb](world=self.world, name=self.name)
        if not pipeline:
            return None
        return Turns(
            world=self.world,
            name=self.name,
            pipeline=self.world.pipeline(pipeline),
            columns=columns,
            windows=windows,
            is_rollup=self.verb in ("roll up", "heal"),
            began=lambda: self.version,
        )

    def advance(self, part: int = 0, fate: str = "") -> None:
        """Act the next step out, or a part of it."""
        if self.began_at is None:
            self.began_at = len(self.world.history) - 1
            self.begin(self.make())
            return
        step = self.pending
        if not isinstance(step, Gather):
            is_done, answer, error = self._act_part(0, step, fate)
            if is_done:
                self.answer(answer, error)
            return
        number = self.waiting[part % len(self.waiting)]
        is_done, answer, error = self._act_part(number, step.steps[number], fate)
        if is_done:
            self.answer_part(number, answer, error)

    def told(self) -> str:
        """What the last advance has done, for people."""
        if self._done is None:
            return "begins"
        step, fate, number = self._done
        return told(step, fate) + (f", read {number}" if number else "")

    @property
    def is_reading(self) -> bool:
        """Whether it has done some of the reads that belong together, or that rows are computed from, and not all."""
        if isinstance(self.pending, Gather) and len(self.waiting) < len(self.pending.steps):
            return True
        return self.is_computing

    @property
    def is_computing(self) -> bool:
        """Whether it has done some of the reads that rows are computed from, and not all."""
        return any(
            isinstance(one, RollupChains | PartialAggregates)
            for reads in self._reads.values()
            for one in reads.left
        )

    @property
    def next_read(self) -> Any:
        """The next one of the reads that belong together, of which it has done some; None when there is none."""
        return next((one for reads in self._reads.values() for one in reads.left), None)

    @property
    def is_prepared(self) -> bool:
        """Whether it has read what a step is going to write, and not written it."""
        return bool(self._prepared)

    @property
    def waits_in_no_time(self) -> bool:
        """Whether its waits only let others go on, who have clocks of their own."""
        return self.world.has_own_clocks and self.verb in ROLLUPS

    @property
    def prepared_steps(self) -> list[int]:
        """Numbers of the steps that have read what they are going to write, and have not written it."""
        return sorted(self._prepared)

    @property
    def told_in_part(self) -> tuple[Any, ...]:
        """Answers that the verb has not heard of, as others are waited for."""
        if self.end:
            return ()
        reads = {number: (len(one.left), one.answers) for number, one in self._reads.items()}
        return list(self.waiting), dict(self._answers), self._failed, reads

    @property
    def version(self) -> int:
        """Of the source, when the run began, or its first try."""
        known = self.began_at if self.first_version is None else self.first_version
        return known or 0

    def finish(self) -> None:
        """Act out all that is left, rightly."""
        while not self.end:
            self.advance()

    def die(self) -> None:
        """Never act another step out; a file may be half there, or the rows of a script."""
        super().die()
        waiting = self.pending.steps if isinstance(self.pending, Gather) else (self.pending,)
        for step in waiting if self.began_at is not None else ():
            self.world.store.half(step)
            if is_run(step):
                # the server may go on with it for a while
                self.turns.writes(step)
                lines = rows_of_script(self.world.influx, step)
                write_rows(self.world.influx, lines[: len(lines) // 2])

    def answer(self, answer: Any, error: Exception | None) -> None:
        """What must be true when an erasure has ended."""
        super().answer(answer, error)
        if self.end and self.turns is not None:
            self.turns.ends(self.error, self.result)
        if self.end == "ok" and self.verb == "erase":
            self.world.erasures += 1
            self.world.erased_since = None if self.world.is_validated_now() else self.version
            require_erased(self.world, self.version)

    def _act_part(self, number: int, step: Any, fate: str) -> tuple[bool, Any, Exception | None]:
        """Act a step out, or the next one of the reads that a script is made of; whether that was the last."""
        if type(step) in IN_TWO or is_run(step):
            return self._act_in_two(number, step, fate)
        reads = self._reads.get(number) or reads_of(step)
        if reads is None:
            self._done = step, fate, 0
            return True, *self._act(step, fate)
        self._reads[number] = reads
        one = reads.left.pop(0)
        answer, error = self._act(one, fate)
        reads.answers.append(answer)
        is_done = error is not None or not reads.left
        if is_done:
            del self._reads[number]
        self._done = step, fate, len(reads.answers)
        return is_done, reads.join(reads.answers) if is_done and error is None else None, error

    def _act_in_two(self, number: int, step: Any, fate: str) -> tuple[bool, Any, Exception | None]:
        """Files, or a script's rows, are written of what was read some time before."""
        world = self.world
        known = self._prepared.pop(number, None)
        self._done = step, fate, int(known is None)
        if fate == FAILS:
            return True, None, unavailable(step)
        if known is None:
            try:
                self._prepared[number] = self._prepare(step)
            except InfluxRollupError as error:
                return True, None, error
            return False, None, None
        answer = known.write()
        if known.erasures != world.erasures:
            world.strays.update(known.files)
        return True, *((None, unavailable(step)) if fate == LOST else (answer, None))

    def _prepare(self, step: Any) -> _Prepared:
        """Read what is going to be written."""
        world = self.world
        if isinstance(step, Query):
            lines = rows_of_script(world.influx, step)
            self.turns.prepares(step)

            def write_script() -> Any:
                self.turns.writes(step)
                return write_rows(world.influx, lines)

            return _Prepared(write_script, (), world.erasures)
        if isinstance(step, CommitPoints):
            begun = begin_commit(world.store, step)
            self.turns.prepares(step)

            def commit() -> Any:
                version = commit_points(world.store, step, begun)
                if version is not None:
                    self.turns.commits(step, version)
                return version

            return _Prepared(commit, (), world.erasures)
        files, answer = world.store.prepared(world.influx, step)

        def write_files() -> Any:
            world.store.files.update(files)
            return answer

        return _Prepared(write_files, files, world.erasures)

    def _act(self, step: Any, fate: str) -> tuple[Any, Exception | None]:
        if isinstance(step, Report):
            return None, None
        if isinstance(step, Sleep):
            if not self.waits_in_no_time:
                self.world.sleep(step.seconds)
            return None, None
        if isinstance(step, Act):
            step.do(self.world)
            return None, None
        if fate == FAILS:
            return None, unavailable(step)
        return self._served(step, fate)

    def _served(self, step: Any, fate: str) -> tuple[Any, Exception | None]:
        """What the server or the store has done, and what is known of it."""
        if self.turns is not None:
            self.turns.does(step)
        try:
            answer = self.world.act(step)
            if fate == TWICE:
                answer = again(self.world, step, answer)
        except InfluxRollupError as error:
            return None, error
        self._look_at(step)
        if fate == LOST:
            return None, unavailable(step)
        if self.turns is not None:
            self.turns.looked(step, answer)
        return answer, None

    def _look_at(self, step: Any) -> None:
        """What must be true after a step."""
        if isinstance(step, Write) and step.bucket == "ledger":
            self.world.look_at_ledger(self.version)
        elif isinstance(step, FingerprintSource | CompareParts):
            self.last_look = len(self.world.history) - 1
        elif isinstance(step, Delete | RemoveFiles | PutOver):
            require_kept(self.world, self.verb, self.last_look)
        elif isinstance(step, PutNew) and self.world.unseen:
            self.world.find_unseen(in_archive(self.world))


def unavailable(step: Any) -> InfluxUnavailable | StoreUnavailable:
    """What the client or the store says when it has tried long enough."""
    if type(step) in STORE_ACTIONS or type(step) in TABLE_ACTIONS or isinstance(step, CommitPoints):
        what = "no answer from the simulated store"
        return StoreUnavailable(what)
    what = "no answer from the simulated server"
    return InfluxUnavailable(what)


def again(world: World, step: Any, answer: Any) -> Any:
    """The answer to a step that is done a second time, as the first answer was lost on its way."""
    if isinstance(step, PutNew):
        # as a store tells its own file from that of another
        return answer or (bool(step.data) and world.store.files[step.path] == step.data)
    return (
        world.act(step) if isinstance(step, Write | Delete | PutOver | RemoveFiles | WritePoints) else answer
    )


def told(step: Any, fate: str) -> str:
    """A step in few words."""
    text = step.text if isinstance(step, Act) else type(step).__name__
    if isinstance(step, Write):
        lines = list(step.lines)
        kinds = sorted({line.split(",")[0].split(" ")[0] for line in lines})
        text = f"Write {len(lines)} lines ({', '.join(kinds)}) to {step.bucket}"
    elif isinstance(step, Delete):
        text = f"Delete {step.measurement} {dict(step.tags)} in {step.interval} of {step.bucket}"
    elif isinstance(step, Report):
        text = f"Report: {step.message[:100]}"
    suffix = {"": "", FAILS: " FAILS", LOST: " is done, ITS ANSWER IS LOST", TWICE: " is done TWICE"}
    return text + suffix[fate]
