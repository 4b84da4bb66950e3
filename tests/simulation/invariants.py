"""What must be true of a world when all runs have ended, and after it was reconciled."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from airflow_provider_influx_rollup.lifecycle.reconcile.result import ReconcileResult
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.simulation.archive_rest import (
    QUIET,
    archive_at_rest,
    erased_at_rest,
    expired_at_rest,
    purged_at_rest,
    require_latest,
)
from tests.simulation.influx import nanoseconds
from tests.simulation.lines import Tags
from tests.simulation.pipelines import ERASED, SPAN, TIERS, Pipeline
from tests.simulation.plain_rows import Rows, rows_of
from tests.simulation.runs import Run
from tests.simulation.script_runs import scripted_at_rest
from tests.simulation.tier_rest import merged, tiers_at_rest
from tests.simulation.validate_runs import validated_at_rest
from tests.simulation.watch_runs import watched_at_rest
from tests.simulation.world import World

#: what only some worlds have
AT_REST = {"validated": validated_at_rest, "watched": watched_at_rest, "scripted": scripted_at_rest}


def require_untorn(
    world: World, sure: Mapping[tuple[str, int], int], away: Collection[int] = ()
) -> list[str]:
    """Each row of a COMMITTED window is what some one state of the source gave, no older than the run that committed it.

    Of a source that only gains points, or only loses some: a run cannot see one value go and another one come.

    :param sure: how old the state may be at most, by pipeline and start
    :param away: starts of windows in which values may lack until the next run of another pipeline brings them back
    """
    problems = []
    claims = world.committed()
    for pipeline in world.pipelines:
        if pipeline.older:
            continue
        stored = world.stored(pipeline)
        for window in pipeline.windows:
            start = nanoseconds(window.start)
            claim = claims.get((pipeline.name, start))
            if claim is None:
                continue
            key = pipeline.name, start
            if world.late.get(key) == claim:
                # a run that hung has written over it: a reconcile finds that
                continue
            have = {key: value for key, value in stored.items() if key[2] == start}
            first = max(world.claims.get(claim, 0), sure.get((pipeline.name, start), 0))
            states = (
                _merged_states(world, pipeline) if pipeline.below else _states(world, pipeline, window, first)
            )
            lost = world.lost_at(start)
            if start in away:
                lost |= {key[:2] for state in states for key in state if key not in have}
            have, *states = (
                _but(lost, world.judged(rows, pipeline, start, at_rest=True)) for rows in (have, *states)
            )
            if have not in states and (torn := _torn_series(have, states)):
                problems.append(f"{pipeline.name} {window} is COMMITTED and torn: {torn}")
    return problems


def _but(lost: Collection[tuple[Tags, str]], rows: Rows) -> Rows:
    """But for those of some series and fields."""
    return {key: value for key, value in rows.items() if key[:2] not in lost} if lost else rows


def _states(world: World, pipeline: Pipeline, window: Interval, first: int) -> list[Rows]:
    """What the rows of a window may be."""
    found: list[Rows] = []
    for version in range(first, len(world.history)):
        state = world.expected(pipeline, [window], version)
        if state not in found:
            found.append(state)
    return found


def _merged_states(world: World, pipeline: Pipeline) -> list[Rows]:
    """What the rows of a tier may be: each window of the tier below as of a time of its own."""
    below = world.pipeline(str(pipeline.below))
    start = nanoseconds(SPAN.start)
    found = []
    for states in itertools.product(*(_states(world, below, window, 0) for window in below.windows)):
        hours = {key: value for state in states for key, value in state.items()}
        found.append(merged(hours, start))
    return found


def _torn_series(have: dict[Any, Any], states: list[dict[Any, Any]]) -> str:
    for series in sorted({key[0] for key in (*have, *(k for state in states for k in state))}):
        mine = {key: value for key, value in have.items() if key[0] == series}
        some = [{key: value for key, value in state.items() if key[0] == series} for state in states]
        if mine not in some:
            return f"{shown(mine)}, not one of {[shown(one) for one in some]}"
    return ""


def require_rest(world: World) -> list[str]:
    """After a quiet reconcile what is COMMITTED is right; after another one all is, and a third finds nothing.

    Where pipelines share points, the first one may find what a run that died put aside: it brings values of another one
    back, as that one had COMMITTED them, and tears its window when it has committed since. The other one was reconciled
    without them.
    """
    world.clock += QUIET
    if problems := _files_at_rest(world) or (tiers_at_rest(world) if world.variant in TIERS else []):
        return problems
    is_clean = False
    for is_last in (False, True):
        has_aside = len(world.pipelines) > 1 and bool(
            world.influx.buckets["ledger"].pivoted("ghost_survivors")
        )
        problems, is_clean = _reconciled(world)
        if has_aside and not problems and not is_last:
            continue
        problems = problems or [problem for one in world.pipelines for problem in _wrong_rows(world, one)]
        torn = _not_committed(world)
        if problems or not torn:
            break
    else:
        problems.append(f"not COMMITTED after two reconciles: {', '.join(torn)}")
    if world.has_values_by_hand and not world.has_by_hand():
        problems.append("values that a person wrote beside the rows are gone")
    # one in three, as it takes long
    if not problems and not is_clean and len(world.claims) % 3 == 0:
        problems = _reconciled_again(world)
    if not problems:
        # who computes the same values as another one removes those that are stale for both, and counts its own alone
        counted = world.pipelines if world.variant != "handed over" else ()
        problems = [p for one in counted for p in _wrong_receipts(world, one)]
        problems = problems or _of_variant(world)
    return problems + world.problems


def _files_at_rest(world: World) -> list[str]:
    """Archives, and erasures."""
    if world.variant in ERASED:
        return erased_at_rest(world)
    return require_latest(world) or archive_at_rest(world) if world.is_archived else []


def _of_variant(world: World) -> list[str]:
    """What only some worlds have."""
    # one in three, as it takes long; a purge refuses windows whose rows have more points than there are
    has_unseen = any(_has_unseen(world, one, window) for one in world.pipelines for window in one.windows)
    if world.is_archived and len(world.history) % 3 == 0 and not has_unseen:
        return purged_at_rest(world)
    if world.variant == "expiring":
        return expired_at_rest(world)
    at_rest = AT_REST.get(world.variant)
    return at_rest(world) if at_rest is not None else []


def _wrong_receipts(world: World, pipeline: Pipeline) -> list[str]:
    """Receipts whose numbers are not those of the rows and points."""
    problems = []
    stored = world.stored(pipeline)
    numbers, committed = world.records(("rows_in", "rows_out", "series")), world.committed()
    for window in pipeline.windows:
        start, stop = nanoseconds(window.start), nanoseconds(window.stop)
        key, columns = (pipeline.name, start), {f"temp_{name}" for name in pipeline.aggregates}
        is_lost = any(name in columns for _, name in world.lost_at(start))
        if len(world.pipelines) > 1 and (is_lost or world.late.get(key) == committed.get(key)):
            # a run that hung has taken rows along that were stale: none is missing
            continue
        rows = [one for one in stored if one[2] == start]
        right = {"rows_out": len(rows), "series": len({one[0] for one in rows})}
        # without a count, points may come that change no row; an erasure counts late ones too, that no row stands for
        is_counted = "count" in pipeline.aggregates and world.variant not in ERASED
        if is_counted and not (pipeline.below or _has_unseen(world, pipeline, window)):
            right["rows_in"] = sum(start <= time < stop for _, time in world.source)
        found = numbers[key]
        if {name: found[name] for name in right} != right:
            problems.append(f"receipt of {pipeline.name} {window}: {found}, not {right}")
    return problems


def _not_committed(world: World) -> list[str]:
    committed = world.committed()
    return [
        f"{one.name} {window}"
        for one in world.pipelines
        for window in one.windows
        if (one.name, nanoseconds(window.start)) not in committed
    ]


def _wrong_rows(world: World, pipeline: Pipeline) -> list[str]:
    """Rows of COMMITTED windows that are not what the source gives."""
    unseen = {nanoseconds(one.start) for one in pipeline.windows if _has_unseen(world, pipeline, one)}
    starts = {start for name, start in world.committed() if name == pipeline.name} - unseen
    stored, expected = (
        {key: value for key, value in rows.items() if key[2] in starts}
        for rows in (world.stored(pipeline), world.expected(pipeline, pipeline.windows))
    )
    return [] if stored == expected else [f"rows of {pipeline.name}: {_difference(stored, expected)}"]


def _has_unseen(world: World, pipeline: Pipeline, window: Interval) -> bool:
    """Whether its rows have points that a purge took along after a run had read them, and no others."""
    start, stop = span = nanoseconds(window.start), nanoseconds(window.stop)
    unseen = {key: value for key, value in world.unseen.items() if start <= key[1] < stop}
    rows = {key: value for key, value in world.stored(pipeline).items() if key[2] == start} if unseen else {}
    return any(
        rows == rows_of({**world.source, **dict(some)}, [span], pipeline.aggregates, pipeline.group_by)
        for count in range(1, len(unseen) + 1)
        for some in itertools.combinations(unseen.items(), count)
    )


def _reconciled(world: World) -> tuple[list[str], bool]:
    """What fails when all is reconciled, one pipeline after the other; whether nothing was found."""
    is_clean = True
    for pipeline in world.pipelines:
        info = RunInfo(dag_id="dag", task_id="reconcile", run_id="quiet")
        run = Run(world, "reconcile", partial(reconcile, pipeline.spec(), SPAN, info, world.now, strict=True))
        run.finish()
        if run.end != "ok":
            return [f"a quiet reconcile of {pipeline.name} fails: {run.end}"], False
        is_clean = is_clean and (
            (run.result.is_clean and not run.result.dirty) or _keeps_unseen(world, pipeline, run.result)
        )
    return [], is_clean


def _keeps_unseen(world: World, pipeline: Pipeline, result: ReconcileResult) -> bool:
    """Whether it found nothing but windows whose rows have more points than there are now, and left them."""
    frozen = {one.window for one in result.frozen}
    only_frozen = {change.window for change in result.dirty} == frozen
    return only_frozen and all(_has_unseen(world, pipeline, window) for window in frozen)


def _reconciled_again(world: World) -> list[str]:
    problems, is_clean = _reconciled(world)
    return problems or ([] if is_clean else ["a second quiet reconcile finds something"])


def _difference(have: dict[Any, Any], wanted: dict[Any, Any]) -> str:
    keys = sorted(key for key in have.keys() | wanted.keys() if have.get(key) != wanted.get(key))
    return "; ".join(f"{shown([key])} is {have.get(key)}, not {wanted.get(key)}" for key in keys[:4])


def shown(rows: Any) -> str:
    """Rows in few words."""
    texts = []
    for key in sorted(rows):
        tags = ",".join(value for _, value in key[0])
        hour = (key[2] - nanoseconds(SPAN.start)) // (3600 * 10**9)
        value = f"={rows[key]}" if isinstance(rows, dict) else ""
        texts.append(f"{tags}@{hour} {key[1]}{value}")
    return " ".join(texts) or "nothing"
