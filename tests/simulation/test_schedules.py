"""Some schedules of the simulator, and that one can be written down, replayed and shrunk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_influx_rollup.exceptions import InfluxUnavailable
from airflow_provider_influx_rollup.steps.influx import Delete, Gather, Report, Write
from airflow_provider_influx_rollup.steps.store import ListFolder, MergeParts, PutNew, RemoveFiles
from tests.simulation.actors import Actor, Scenario, from_json
from tests.simulation.influx import nanoseconds
from tests.simulation.pipelines import HOUR_NS, WINDOWS
from tests.simulation.schedule import Play, play, play_seed, shrink
from tests.simulation.store import HALF
from tests.simulation.watch_runs import QUIET_CHOICE
from tests.simulation.world import World

SEEDS = 20
SCHEDULES = Path(__file__).parent / "schedules"


def test_nothing_is_wrong_when_runs_are_interleaved() -> None:
    for seed in range(SEEDS):
        scenario, moves, problems = play_seed(seed)
        assert problems == [], f"python -m tests.simulation replay {seed}: {scenario} {moves}"


def test_schedule_is_the_same_when_it_is_read_again() -> None:
    for seed in range(2):
        scenario, moves, _ = play_seed(seed)
        logs: list[list[str]] = [[], []]
        again, same_moves = from_json(scenario.as_json(moves))
        assert (again, same_moves) == (scenario, moves)
        play(scenario, moves, logs[0])
        play(again, same_moves, logs[1])
        assert logs[0] == logs[1]
        assert len(logs[0]) > len(moves) / 2


def test_failure_is_found_and_shrunk_when_claims_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    # these import all that reads the name, which is changed where it is written only
    for seed in range(5):
        play_seed(seed)
    monkeypatch.setattr("airflow_provider_influx_rollup.ledger.codec.CLAIMED_BY", "nobody_reads_this")
    for seed in range(100):
        scenario, moves, problems = play_seed(seed)
        if problems:
            break
    else:
        pytest.fail("no schedule has found it")
    small, fewer = shrink(scenario, moves)
    log: list[str] = []
    assert play(small, fewer, log) != []
    assert len(fewer) <= len(moves)
    assert "all is at rest" in log or "begins" in log[0]


def test_point_that_a_purge_takes_too_early_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "airflow_provider_influx_rollup.lifecycle.purge.proof._require_archived", lambda _: None
    )
    writer = Actor("write", changes=(("new", "a", 1_500, 1.0),))
    runs = [Actor(verb, "hourly", 0, 0, run_id=verb) for verb in ("roll up", "purge")]
    problems = play(Scenario("archived", 7, (writer, *runs)), ["0"] * 2 + ["1"] * 100)
    assert any("purge lost a,x@" in problem for problem in problems), problems


def test_file_that_a_dead_run_has_left_is_not_taken_for_an_archive() -> None:
    scenario = Scenario("archived", 5, (Actor("archive", "hourly", 0, 2, run_id="run 1"),))
    played = Play(scenario)
    while "WriteParts" not in str(played.runs[0].pending):
        played.do("0")
    played.do("0x")
    halves = [path for path, data in played.world.store.files.items() if data == HALF]
    assert halves
    assert played.rest() == []
    assert not set(halves) & set(played.world.store.files)


def compacted_beside_an_erasure(first: int, last: int, step: type[RemoveFiles | ListFolder]) -> Play:
    """A compaction that publishes while an erasure of some windows has come to a step of the same folder."""
    actors = (
        Actor("compact", "hourly", first, last, run_id="c"),
        Actor("erase", "hourly", first, last, run_id="e"),
    )
    played = Play(Scenario("archived", 2, actors))
    compacting, erasing = played.runs
    while not (isinstance(compacting.pending, PutNew) and compacting.pending.path.endswith("manifest.json")):
        played.do("0")
    folder = compacting.pending.path.rpartition("/")[0]
    while not isinstance(erasing.pending, Delete):
        played.do("1")
    while not (isinstance(erasing.pending, step) and folder_of(erasing.pending) == folder):
        played.do("1")
    if step is ListFolder:
        played.do("1")
    compacting.finish()
    assert compacting.end == "ok"
    return played


def folder_of(step: RemoveFiles | ListFolder) -> str:
    """The folder that a step is about."""
    return step.path if isinstance(step, ListFolder) else step.paths[0].rpartition("/")[0]


def test_generation_stays_that_is_published_after_an_erasure_has_taken_its_files_for_those_of_a_dead_run() -> (
    None
):
    assert compacted_beside_an_erasure(0, 2, ListFolder).rest() == []


def test_small_windows_keep_their_files_when_an_erasure_may_take_those_of_the_new_generation() -> None:
    """It has looked whether these files are published, and is about to remove them."""
    assert compacted_beside_an_erasure(2, 2, RemoveFiles).rest() == []


@pytest.mark.parametrize("runs", [2, 3])
def test_receipt_tells_of_the_newest_generation_when_an_archive_hangs_before_it_writes_its_own(
    runs: int,
) -> None:
    actors = tuple(Actor("archive", "hourly", 0, 0, f"run {number}") for number in range(runs))
    played = Play(Scenario("archived", 5, actors))
    for number in range(runs):
        played.world.put("a", nanoseconds(WINDOWS[0].start) + 1_500 + number, 1.0)
        while "stage=archive" not in "".join(getattr(played.runs[number].pending, "lines", ())):
            played.do(str(number))
    for run in reversed(played.runs):
        run.finish()
        assert run.end == "ok"
    assert played.world.of_files["archive", nanoseconds(WINDOWS[0].start)] >= runs
    assert played.rest() == []


@pytest.mark.parametrize("path", sorted(SCHEDULES.glob("*.json")), ids=lambda path: path.stem)
def test_nothing_is_wrong_after_a_schedule_that_once_found_a_fault(path: Path) -> None:
    assert play(*from_json(path.read_text())) == []


def test_rows_of_a_purged_window_stay_when_its_points_come_back_while_a_rollup_is_planned() -> None:
    """It has found no point, and the restore lifts its mark before the rollup looks for one."""
    actors = Actor("roll up", "hourly", 2, 2, "rolls up"), Actor("restore", "hourly", 2, 2, "restores")
    played = Play(Scenario("archived", 4, actors))
    rollup, restore = played.runs
    while not (isinstance(rollup.pending, Gather) and "FieldTypes" in str(rollup.pending)):
        played.do("0")
    for name in ("FieldTypes", "FieldTotals"):
        waiting = [str(rollup.pending.steps[number]) for number in rollup.waiting]
        played.do(f"0.{next(number for number, step in enumerate(waiting) if name in step)}")
    restore.finish()
    assert restore.end == "ok"
    rollup.finish()
    assert played.world.stored(played.world.pipelines[0])
    assert played.rest() == []


def test_purge_that_another_run_began_is_resumed_when_its_pipeline_is_younger_than_the_run() -> None:
    actors = (
        Actor("purge", "hourly", 1, 1, "resumes"),
        Actor("roll up", "hourly", 1, 1, "rolls up"),
        Actor("purge", "hourly", 1, 1, "begins"),
    )
    played = Play(Scenario("archived", 9, actors))
    resuming, rollup, begun = played.runs
    # it has asked which pipelines there are, and there was none
    while not isinstance(resuming.pending, Report):
        played.do("0")
    rollup.finish()
    assert rollup.end == "ok"
    while not isinstance(begun.pending, Delete):
        played.do("2")
    played.do("2")
    played.do("2x")
    resuming.finish()
    assert (resuming.end, played.world.problems) == ("ok", [])
    assert played.rest() == []


def test_point_that_a_purge_could_not_know_comes_back_when_an_archive_has_read_it_before() -> None:
    actors = (
        Actor("purge", "hourly", 1, 1, "purges"),
        Actor("archive", "hourly", 1, 1, "archives"),
        Actor("write", changes=(("new", "a", HOUR_NS + 1_500, 1.0),)),
    )
    played = Play(Scenario("archived", 4, actors))
    purge, archive, writer = played.runs
    while not isinstance(purge.pending, Delete):
        played.do("0")
    writer.finish()
    (late,) = played.world.source.keys() - played.world.history[0].keys()
    while not isinstance(archive.pending, MergeParts):
        played.do("1")
    purge.finish()
    assert late not in played.world.source
    archive.finish()
    assert (purge.end, archive.end) == ("ok", "ok")
    assert late in played.world.source
    assert played.rest() == []


def test_run_fails_as_with_a_client_when_the_server_does_not_answer() -> None:
    scenario = Scenario("plain", 0, (Actor("roll up", "hourly", run_id="run 1"),))
    log: list[str] = []
    assert play(scenario, ["0", "0f", "0", "0"], log) == []
    assert f"it ends: {InfluxUnavailable.__name__}" in " ".join(log)


def test_world_is_left_alone_when_its_copy_changes() -> None:
    world = World("plain")
    world.put("a", 1, 1.0)
    copied = world.copy()
    copied.put("a", 2, 2.0)
    copied.remove("a", 1, 2)
    assert (list(world.source.values()), list(copied.source.values())) == ([1.0], [2.0])
    assert world.influx.buckets["raw"].measurements != copied.influx.buckets["raw"].measurements


def test_generation_grows_when_a_run_planned_before_another_one_committed() -> None:
    actors = Actor("roll up", "hourly", 1, 1, "late"), Actor("roll up", "hourly", 1, 1, "early")
    played = Play(Scenario("plain", 1, actors))
    while not isinstance(played.runs[0].pending, Write):
        played.do("0")
    generations = []
    for number in (1, 0):
        played.runs[number].finish()
        receipts = played.world.records(("generation",))
        generations.append(receipts["hourly", nanoseconds(WINDOWS[1].start)]["generation"])
    assert generations == [2, 3]
    assert played.rest() == []


@pytest.mark.parametrize("steps_before_delete", range(4))
@pytest.mark.parametrize("verb", ["roll up", "reconcile"])
def test_values_of_a_person_stay_when_a_run_dies_whose_record_of_them_another_one_has_forgotten(
    verb: str, steps_before_delete: int
) -> None:
    actors = tuple(Actor(verb, "other", 0, 0, name) for name in ("hangs", "is quick"))
    length = _steps_until_delete(Play(Scenario("shared", 1, actors)))
    played = _without_device(Play(Scenario("shared", 1, actors)))
    for _ in range(length - 1 - steps_before_delete):
        played.do("0")
    played.runs[1].finish()
    assert played.runs[1].end == "ok"
    while not played.runs[0].end and not isinstance(played.runs[0].pending, Delete):
        played.do("0")
    played.do("0")
    played.do("0x")
    assert played.rest() == []


@pytest.mark.parametrize("verb", ["roll up", "reconcile"])
def test_values_of_a_person_come_back_when_a_run_dies_that_began_after_the_plan_of_the_next_one(
    verb: str,
) -> None:
    actors = tuple(Actor(verb, "other", 0, 0, name) for name in ("has planned", "dies"))
    length = _steps_until_delete(Play(Scenario("shared", 1, actors)))
    for cut in range(length):
        played = _without_device(Play(Scenario("shared", 1, actors)))
        for _ in range(cut):
            played.do("0")
        while not isinstance(played.runs[1].pending, Delete):
            played.do("1")
        played.do("1")
        played.do("1x")
        played.runs[0].finish()
        assert played.runs[0].end == "ok"
        assert played.rest() == [], cut


def test_values_of_a_person_come_back_when_a_run_deletes_them_that_was_overtaken_right_before() -> None:
    """The next run has found the values in their place, and writes its rows."""
    actors = tuple(Actor("roll up", "other", 0, 0, name) for name in ("hangs", "takes over"))
    played = _without_device(Play(Scenario("shared", 1, actors)))
    hanging, next_run = played.runs
    while not isinstance(hanging.pending, Delete):
        played.do("0")
    while not _writes_rows(next_run.pending):
        played.do("1")
    played.do("0")
    played.do("0x")
    next_run.finish()
    assert next_run.end == "ok"
    assert played.rest() == []


@pytest.mark.parametrize("dies", [False, True])
def test_values_of_a_person_come_back_when_they_are_deleted_right_before_their_record_is_forgotten(
    dies: bool,
) -> None:
    """When the run that forgets it dies too, nobody can know them."""
    actors = tuple(Actor("roll up", "other", 0, 0, name) for name in ("hangs", "takes over"))
    played = _without_device(Play(Scenario("shared", 1, actors)))
    hanging, next_run = played.runs
    start = nanoseconds(WINDOWS[0].start)
    while not isinstance(hanging.pending, Delete):
        played.do("0")
    claim = hanging.turns.claims[start]
    while not (isinstance(next_run.pending, Delete) and next_run.pending.tags.get("claim") == claim):
        played.do("1")
    for move in ("0", "0x", "1", *(["1x"] if dies else [])):
        played.do(move)
    assert start not in played.world.by_hand()
    played.runs[1].finish()
    assert (start in played.world.by_hand()) is not dies
    assert bool(played.world.deleted_late) is dies
    assert played.rest() == []


def _writes_rows(step: Any) -> bool:
    if isinstance(step, Gather):
        return any(map(_writes_rows, step.steps))
    return isinstance(step, Write) and step.bucket == "rolled"


def _without_device(played: Play) -> Play:
    """The device that a person has written beside has no points in the first hour any more."""
    start = nanoseconds(WINDOWS[0].start)
    played.world.remove("a", start, start + HOUR_NS)
    return played


def _steps_until_delete(played: Play) -> int:
    steps = 0
    _without_device(played)
    while not isinstance(played.runs[0].pending, Delete):
        played.do("0")
        steps += 1
        assert not played.runs[0].end, "nothing was stale"
    return steps


def test_source_is_not_quiet_from_before_its_points_were_counted() -> None:
    """A point comes after a sensor has begun to look, and before it counts."""
    actors = (
        Actor("sensor", "hourly", 1, 1, "s", choice=QUIET_CHOICE),
        Actor("write", changes=(("new", "d", 2 * HOUR_NS - 9_000, 1.0),)),
    )
    played = Play(Scenario("watched", 2, actors))
    sensor, _ = played.runs
    played.do("0")
    for move in ("+50", "1", "1"):
        played.do(move)
    while not sensor.end:
        played.do("0")
    assert sensor.end == "ok"
    assert played.rest() == []
