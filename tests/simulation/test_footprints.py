"""What steps really read is within what they are said to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.flux.bucket_ids import BucketsNow
from airflow_provider_influx_rollup.flux.ledger_history import CoveredWindows, WrittenSpecs
from airflow_provider_influx_rollup.flux.ledger_read import (
    ArchiveFolders,
    ClaimsOf,
    ReceiptsOf,
    ReceiptsOfSeveral,
    ReceiptStates,
    SetAsideRecords,
    StoredSpecs,
    WritingReceipts,
)
from airflow_provider_influx_rollup.flux.purges import MarksBetween, MarksOfBucket, OverlappingMarks
from airflow_provider_influx_rollup.steps.influx import CheckWritable, FindBucket, FindBucketById
from airflow_provider_influx_rollup.steps.store import (
    FingerprintPart,
    FingerprintPoints,
    ListFolder,
    ReadBytes,
    TallyMatching,
)
from tests.simulation import footprints
from tests.simulation.every_order import Explorer, Moment
from tests.simulation.footprints import BUCKETS, CLOCK, EVERYTHING, RAW, RECEIPTS, STORE, Place, overlap
from tests.simulation.pairs import pair
from tests.simulation.pipelines import WINDOWS
from tests.simulation.runs import Run
from tests.simulation.world import World

VERBS = {
    "shared": ("roll up", "reconcile", "heal"),
    "tiers": ("roll up", "roll up@daily", "reconcile@daily"),
    "archived": ("archive", "purge", "restore", "compact", "roll up"),
}


WITH_WRITER = pair("shared", 3, ["roll up"], changes=["new a"])
HOUR = WINDOWS[0]
FILE = "a file that is not there.parquet"
#: one of each kind of which footprints.py says what it reads
STEPS: tuple[Any, ...] = (
    ReceiptsOf("ledger", "hourly", "rollup", HOUR),
    ReceiptsOfSeveral("ledger", ["hourly"], "rollup", HOUR),
    ReceiptStates("ledger", "hourly", "rollup", HOUR),
    CoveredWindows("ledger", "hourly", "rollup", HOUR),
    WritingReceipts("ledger", "hourly", "rollup", HOUR),
    ClaimsOf("ledger", "hourly", "rollup", HOUR),
    MarksBetween("ledger", "m", HOUR.start, HOUR.stop),
    MarksOfBucket("ledger", "raw"),
    OverlappingMarks("ledger", "m", HOUR),
    WrittenSpecs("ledger", ["hourly"], "rollup", HOUR),
    SetAsideRecords("ledger", None, HOUR),
    StoredSpecs("ledger"),
    ArchiveFolders("ledger"),
    ReadBytes(FILE),
    ListFolder("org/raw/m"),
    FingerprintPart(FILE, "of no file"),
    FingerprintPoints((FILE,), HOUR),
    TallyMatching(FILE, (), HOUR),
)


class Touched(dict[str, Any]):
    """A dict that remembers which of its keys were looked at."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.names: set[tuple[str, ...]] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add((key,))
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self.names.add((key,))
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.names.add((str(key),))
        return super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        self.names.add(())
        return super().__iter__()

    def items(self) -> Any:
        self.names.add(())
        return super().items()


def touched(world: World, look: Callable[[], Any]) -> set[Place]:
    """What is looked at, among what is in buckets, and files."""
    for place in world.influx.buckets.values():
        for name in list(place.measurements):
            place.changes(name)
        place.measurements = Touched(place.measurements)
    world.store.files = Touched(world.store.files)
    look()
    found = set()
    for name, place in world.influx.buckets.items():
        found |= {(name, *rest) for rest in place.measurements.names}  # type: ignore[attr-defined]
        place.measurements = dict(place.measurements)
    found |= {STORE} if world.store.files.names else set()  # type: ignore[attr-defined]
    world.store.files = dict(world.store.files)
    return found


def unsaid(run: Run, moment: Moment, move: str) -> set[Place]:
    """What a step reads that it is not said to read; of one that changes something nothing is said."""
    step, is_first = run.pending, run.began_at is None
    said = footprints.reads(run, step)
    if not is_first and footprints.writes(run, step):
        said = EVERYTHING
    found = touched(moment.play.world, lambda: moment.play.do(move))
    return {place for place in found - ({RECEIPTS} if run.end else set()) if not overlap([place], said)}


def played(variant: str) -> tuple[set[tuple[str, Place]], int]:
    """What is not said of each step of some runs; and of how many something is said."""
    wrong, said = set(), 0
    for beginning in (1, 13):
        verbs = VERBS[variant]
        moment = Moment(pair(variant, beginning, verbs), is_reduced=False)
        while choices := moment.choices():
            # in turns, so that they get in each other's way
            move = choices[len(moment.moves) % len(choices)]
            moment.moves.append(move)
            run = moment.play.runs[int(move.partition(".")[0])]
            said += footprints.reads(run, run.pending) != EVERYTHING
            name = type(run.pending).__name__
            wrong |= {(name, place) for place in unsaid(run, moment, move)}
    return wrong, said


@pytest.mark.parametrize("variant", VERBS)
def test_step_reads_nothing_that_it_is_not_said_to_read(variant: str) -> None:
    wrong, said = played(variant)
    assert wrong == set()
    assert said > 50


def test_each_step_is_said_to_read_what_it_reads_by_itself() -> None:
    """Those too that the runs above do not ask for, or of which nobody else writes then what they read."""
    assert {type(step) for step in STEPS} == {*footprints.RECORDS, *footprints.FILE_READS}
    run = begun()
    unsaid_of, nothing = {}, []
    for step in STEPS:
        found = touched(run.world, lambda one=step: answered(run.world, one))
        nothing += [] if found else [step]
        if places := {place for place in found if not overlap([place], footprints.reads(run, step))}:
            unsaid_of[type(step).__name__] = places
    assert unsaid_of == {}
    assert nothing == []


def test_each_step_that_another_bucket_changes_the_answer_of_is_said_to_read_buckets() -> None:
    run = begun()
    next_id = f"{len(run.world.influx.buckets) + 1:016x}"
    steps = [FindBucket("new"), FindBucketById(next_id), CheckWritable("new"), BucketsNow()]
    assert {type(step) for step in steps} == set(footprints.BUCKET_READS)
    before = [answered(run.world, step) for step in steps]
    run.world.influx.ensure("new")
    for step, old in zip(steps, before, strict=True):
        assert answered(run.world, step) != old
        assert overlap([BUCKETS], footprints.reads(run, step)), step


def answered(world: World, step: Any) -> str:
    try:
        return repr(world.act(step))
    except InfluxRollupError as error:
        return repr(error)


def begun() -> Run:
    """Of a verb of which all is known."""
    moment = Moment(pair("archived", 13, ["roll up"]))
    moment.do("0")
    return moment.play.runs[0]


def test_begin_of_a_run_is_said_to_read_the_source() -> None:
    """It remembers what the source was when it began."""
    began = []
    for order in (["0", "1", "1"], ["1", "1", "0"]):
        moment = Moment(WITH_WRITER, is_reduced=False)
        said = footprints.reads(moment.play.runs[0], moment.play.runs[0].pending)
        for move in order:
            moment.do(move)
        began.append(moment.play.runs[0].began_at)
        assert overlap([RAW], said)
    assert began[0] != began[1]


def test_step_that_reads_more_than_is_said_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprints, "_reads", lambda _: frozenset([CLOCK]))
    wrong, _ = played("shared")
    assert {place[0] for _, place in wrong} == {"raw", "rolled", "ledger"}


def test_verb_that_writes_what_nobody_knows_of_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprints, "OF_ROLLUPS", ("pipeline_spec",))
    explorer = Explorer(pair("plain", 1, ["roll up"]))
    with pytest.raises(AssertionError, match=r"writes \('ledger', 'window_"):
        explorer.explore()
