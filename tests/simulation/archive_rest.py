"""What must be true of an archive when all runs have ended: nothing is lost, or erased in part."""

from __future__ import annotations

from datetime import timedelta

from airflow_provider_influx_rollup.lifecycle.archive.verify import verify_archive
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from tests.simulation.archive_invariants import (
    in_archive,
    in_bucket,
    named_erased,
    require_certificates,
    require_erased,
    require_kept,
    shown,
)
from tests.simulation.archive_runs import ARCHIVE, archive_run
from tests.simulation.export_runs import exported_at_rest
from tests.simulation.influx import nanoseconds
from tests.simulation.pipelines import HOURS, WINDOWS
from tests.simulation.runs import Run
from tests.simulation.world import ERASED, NOW, RETENTION, World

QUIET = timedelta(hours=1)


def archive_at_rest(world: World) -> list[str]:
    """An erasure that died is ended, all is archived and restored: nothing is lost or erased in part."""
    if problems := erased_at_rest(world):
        return problems
    problems = _expiring_is_archived(world) or _quiet(world, "archive")
    require_kept(world)
    # as half of the archives are
    if len(world.history) % 2:
        problems += _quiet(world, "compact")
        require_kept(world)
    problems += world.problems or exported_at_rest(world) or _restored(world)
    checked = Run(world, "verify", lambda: verify_archive(ARCHIVE.folder))
    checked.finish()
    problems += [
        f"{one.window}, generation {one.generation}: {one.problem}" for one in checked.result if one.problem
    ]
    return problems + require_certificates(world)


def _expiring_is_archived(world: World) -> list[str]:
    """What retention deletes soon is archived by the verb alone that looks for it."""
    if world.variant != "expiring":
        return []
    problems = _expiring_in_turns(world)
    there, archived = in_bucket(world), in_archive(world)
    for window in WINDOWS:
        start, stop = nanoseconds(window.start), nanoseconds(window.stop)
        some, held = ([key for key in keys if start <= key[1] < stop] for keys in (there, archived))
        if not set(some) <= set(held):
            problems.append(f"about to expire, and not archived: {shown(set(some) - set(held))}")
    return problems


def _expiring_in_turns(world: World) -> list[str]:
    """Runs of the verb until one has looked at all; those at which runs have died share few places."""
    problems: list[str] = []
    for number in range(HOURS):
        problems = _quiet(world, "expiring")
        if number and not problems:
            break
    return problems


def require_latest(world: World) -> list[str]:
    """Receipts of archives tell of the latest generation; who dies right before it has looked leaves it to the next one."""
    if any(run.end != "ok" for run in world.runs):
        return []
    return [f"receipts of {stage} went back to an earlier generation" for stage, _ in world.gone_back]


def erased_at_rest(world: World) -> list[str]:
    """An erasure that has ended has left nothing; one that died is ended."""
    if world.erased_since is not None:
        # what was at work beside it has ended since
        require_erased(world, world.erased_since)
    if world.problems or world.erasure_began is None:
        return world.problems
    for _ in range(3):
        problems = _quiet(world, "erase")
        if not problems:
            break
        world.clock += QUIET
    if problems:
        return problems
    if left := [key for key in world.source if set(ERASED) <= set(key[0])]:
        return [f"there is still {left}"]
    world.erasure_began = None
    return named_erased(world)


def purged_at_rest(world: World) -> list[str]:
    """All is purged, the rows stay as they are, and all comes back."""
    stored = world.stored(world.pipelines[0])
    world.clock += QUIET
    # what was erased of a window whose files a compaction has removed, its own manifest still counts
    problems = _quiet(world, "archive")
    world.clock += QUIET
    problems += _quiet(world, "purge")
    if not problems and in_bucket(world):
        problems.append(f"purged, and in the bucket: {in_bucket(world)}")
    if in_archive(world) != world.source:
        problems.append(f"purged, and the archive has {in_archive(world)}, not {world.source}")
    if stored != world.stored(world.pipelines[0]):
        problems.append("a purge has changed the rows")
    return problems or _restored(world) or require_certificates(world)


def expired_at_rest(world: World) -> list[str]:
    """What retention is about to delete is archived, and nothing of that is forgotten when it has."""
    stored = world.stored(world.pipelines[0])
    problems = _expiring_in_turns(world)
    if in_archive(world) != world.source:
        problems.append(f"about to expire, and the archive has {in_archive(world)}, not {world.source}")
    world.clock = max(world.clock, NOW + RETENTION) + timedelta(days=1)
    world.influx.drop_old_shards()
    assert not in_bucket(world)
    for verb in ("archive", "expiring", "compact", "archive"):
        problems += [text for text in _quiet(world, verb) if "WindowFrozen" not in text]
    if in_archive(world) != world.source:
        problems.append(f"expired, and the archive has {in_archive(world)}, not {world.source}")
    if stored != world.stored(world.pipelines[0]):
        problems.append("what has expired is gone from the rows")
    return problems + require_certificates(world)


def _restored(world: World) -> list[str]:
    problems = _quiet(world, "restore")
    there = in_bucket(world)
    if not problems and there != world.source:
        lacking = [key for key in world.source if there.get(key) != world.source[key]]
        problems.append(f"restored, and not there: {shown(lacking)}, or more than there was")
    return problems


def _quiet(world: World, verb: str) -> list[str]:
    """A run of a verb over all windows, while nobody else is at work."""
    info = RunInfo(dag_id="dag", task_id=verb, run_id=f"quiet {world.clock}")
    run = Run(world, verb, archive_run(world, verb, WINDOWS, info, world.now), verb=verb)
    run.finish()
    return [] if run.end == "ok" else [f"a quiet run of {verb} fails: {run.end}"]
