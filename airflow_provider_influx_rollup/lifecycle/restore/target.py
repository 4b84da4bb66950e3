"""Points that the target of a restore holds already, part by part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from airflow_provider_influx_rollup.exceptions import ConfigurationError, RestoreConflict, RestoreIncomplete
from airflow_provider_influx_rollup.lifecycle.restore.restore_run import RestoreRun
from airflow_provider_influx_rollup.lifecycle.restore.source import RestoreSource
from airflow_provider_influx_rollup.lifecycle.restore.spec import RestoreResult, RestoreSpec
from airflow_provider_influx_rollup.lifecycle.source.pieces import read_slices
from airflow_provider_influx_rollup.lifecycle.source.retention import horizon
from airflow_provider_influx_rollup.lifecycle.source.slices import Slice
from airflow_provider_influx_rollup.lifecycle.source.whole_read import ReadPlan, plan_read, points_source
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Bucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import (
    CompareParts,
    Comparison,
    Doubled,
    FindDoubled,
    Layers,
)
from airflow_provider_influx_rollup.windows.interval import Interval, format_instant, split_interval, to_ns

MAX_EXAMPLES = 5
NONE_DOUBLED = Doubled()


@dataclass(frozen=True, slots=True)
class TargetPart:
    """A part of the target.

    :param comparison: with the archive; None when the target has no point there, and nothing was compared
    :param doubled: points that the archive has several times for one series, field and time
    """

    interval: Interval
    source: RestoreSource
    comparison: Comparison | None
    doubled: Doubled = NONE_DOUBLED

    @property
    def lost(self) -> int:
        """Points of the archive that the target will not have."""
        return self.doubled.points - (self.comparison.doubled if self.comparison else 0)

    @property
    def is_equal(self) -> bool:
        """Whether it holds what the archive holds, and nothing else."""
        found = self.comparison
        return found is not None and not (found.missing or found.changed or found.unknown)

    @property
    def needs_writing(self) -> bool:
        """Whether points are missing or have another value."""
        found = self.comparison
        return found is None or bool(found.missing or found.changed)


def require_kept(sources: Sequence[RestoreSource], target: Bucket, now: datetime) -> None:
    """Refuse a target that would drop the points; the server only speaks of an internal error then.

    :param now: the time now, aware UTC
    :raises ConfigurationError: naming the bucket
    """
    edge = horizon(target, now)
    for source in sources:
        earliest = min((part.first_ns for part in source.parts(source.interval)), default=None)
        if edge is None or earliest is None or max(earliest, source.interval.start_ns) >= to_ns(edge):
            continue
        what = (
            f"target bucket {target.name!r} keeps points from {format_instant(edge)} on and drops older ones"
        )
        fix = "let it keep them longer, or restore into a bucket that does"
        raise ConfigurationError(what, window=source.interval, written="nothing", fix=fix)


def look_at_target(run: RestoreRun, source: RestoreSource) -> Steps[list[TargetPart]]:
    """Compare the target with the archive, in parts that no query over them reads wrongly or at too great a length."""
    spec = run.spec
    plan = yield from plan_read(spec.target, source.interval, run.target)
    looks = []
    for part in plan.slices:
        for interval in _bounded(spec, source, part):
            layers = source.paths(interval)
            doubled = NONE_DOUBLED
            if layers and source.may_have_doubled:
                doubled = yield from ask(FindDoubled(layers, interval))
            if not part.rows:
                if layers:
                    looks.append(TargetPart(interval, source, None, doubled))
                continue
            comparison = yield from _compared(
                run, plan, Slice(interval, part.rows, part.by_field), layers, doubled
            )
            looks.append(TargetPart(interval, source, comparison, doubled))
    return looks


def look_at_part(run: RestoreRun, part: TargetPart) -> Steps[TargetPart]:
    """Look at a part again, just before it is written."""
    spec = run.spec
    plan = yield from plan_read(spec.target, part.interval, run.target)
    if not plan.rows:
        return replace(part, comparison=None)
    by_field = any(one.by_field for one in plan.slices)
    layers = part.source.paths(part.interval)
    whole = Slice(part.interval, plan.rows, by_field)
    return replace(part, comparison=(yield from _compared(run, plan, whole, layers, part.doubled)))


def _compared(
    run: RestoreRun, plan: ReadPlan, part: Slice, layers: Layers, doubled: Doubled
) -> Steps[Comparison]:
    """Compare what the target has in a part with the files."""
    source = points_source(run.spec.target, plan)
    (found,) = yield from read_slices(
        source, [part], lambda one, points: CompareParts(points, layers, one.interval, doubled.keys)
    )
    return found


def require_no_conflict(spec: RestoreSpec, looks: Sequence[TargetPart], written: str = "nothing") -> None:
    """Refuse to change or to mix with other points, unless that is asked for.

    :param written: before, by this run
    :raises RestoreConflict: with how many there are, and some of them
    """
    found = [look.comparison for look in looks if look.comparison is not None]
    changed, unknown = sum(one.changed for one in found), sum(one.unknown for one in found)
    if spec.overwrite or not (changed or unknown):
        return
    first = next(
        look.interval
        for look in looks
        if look.comparison is not None and (look.comparison.changed or look.comparison.unknown)
    )
    examples = [example for one in found for example in one.examples][:MAX_EXAMPLES]
    what = (
        f"{spec.target_bucket}/{spec.output_measurement} has {changed:,} points with another value than in the archive, "
        f"and {unknown:,} points that the archive does not have, such as {'; '.join(examples)}"
    )
    fix = "restore into another bucket or measurement, or set overwrite=True: the first are replaced, the others stay"
    raise RestoreConflict(what, window=first, written=written, fix=fix)


def lost_series(looks: Sequence[TargetPart]) -> tuple[str, ...]:
    """Some series of the points that the target will not have."""
    named = dict.fromkeys(text for look in looks if look.lost for text in look.doubled.series)
    return tuple(named)[:MAX_EXAMPLES]


def require_all_restored(result: RestoreResult) -> None:
    """Name what no write can bring back.

    :raises RestoreIncomplete: when there is something
    """
    pieces = [piece for piece in result.pieces if piece.lost]
    if not pieces:
        return
    series = dict.fromkeys(text for piece in pieces for text in piece.lost_series)
    lost, written = sum(piece.lost for piece in pieces), sum(piece.written for piece in result.pieces)
    what = (
        f"{lost:,} points of the archive cannot be brought back: their series has several of one field at one time, "
        f"which a bucket holds only under two orders of the tags: {'; '.join(tuple(series)[:MAX_EXAMPLES])}"
    )
    fix = "read them with read_archive, and write those that are right; the window stays marked as purged"
    raise RestoreIncomplete(
        what, window=pieces[0].interval, written=f"all others, {written:,} points by this run", fix=fix
    )


def _bounded(spec: RestoreSpec, source: RestoreSource, part: Slice) -> list[Interval]:
    """A slice in pieces with not too many points of the files, as far as their bounds tell."""
    rows = 0.0
    for file in source.parts(part.interval):
        start, stop = max(file.first_ns, part.interval.start_ns), min(file.last_ns, part.interval.stop_ns)
        rows += file.rows * (stop - start + 1) / (file.last_ns - file.first_ns + 1)
    return split_interval(part.interval, max(1, -int(-rows // spec.max_rows_per_read)))
