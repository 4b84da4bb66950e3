"""Restore archived points into a bucket: verify the files, look at the target, write, and prove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from airflow_provider_influx_rollup.archive.fingerprint import NOTHING, Fingerprint, Total, merge
from airflow_provider_influx_rollup.exceptions import (
    ArchiveMissing,
    PartialWrite,
    QueryFailed,
    RestoreConflict,
    WriteRejected,
)
from airflow_provider_influx_rollup.ledger.codec import encode_receipts
from airflow_provider_influx_rollup.ledger.receipt import Receipt
from airflow_provider_influx_rollup.ledger.states import State
from airflow_provider_influx_rollup.lifecycle.archive_files.fences import read_fences
from airflow_provider_influx_rollup.lifecycle.ledger.bucket import ensure_ledger
from airflow_provider_influx_rollup.lifecycle.ledger.receipt_book import signed
from airflow_provider_influx_rollup.lifecycle.restore.lift import Purges, find_purges, lift
from airflow_provider_influx_rollup.lifecycle.restore.place import located_source
from airflow_provider_influx_rollup.lifecycle.restore.restore_run import RestoreRun
from airflow_provider_influx_rollup.lifecycle.restore.source import (
    RestoreSource,
    find_sources,
    require_newest,
    verify_sources,
)
from airflow_provider_influx_rollup.lifecycle.restore.spec import STAGE, Restored, RestoreResult, RestoreSpec
from airflow_provider_influx_rollup.lifecycle.restore.target import (
    MAX_EXAMPLES,
    TargetPart,
    look_at_part,
    look_at_target,
    lost_series,
    require_all_restored,
    require_kept,
    require_no_conflict,
)
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.run_info import RunInfo
from airflow_provider_influx_rollup.lifecycle.run.window_errors import about_window, unless_told
from airflow_provider_influx_rollup.lifecycle.source.buckets import require_bucket
from airflow_provider_influx_rollup.lifecycle.source.whole_read import (
    fingerprint_source,
    plan_read,
)
from airflow_provider_influx_rollup.rejections import is_type_conflict
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Progressed, Report, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import WritePoints
from airflow_provider_influx_rollup.windows.interval import Interval

PLANNED = "PLANNED"
Result = TypeVar("Result")


def restore(spec: RestoreSpec, interval: Interval, run: RunInfo, now: Clock) -> Steps[RestoreResult]:
    """Restore the points of an interval from their newest generations.

    Nothing is written before all files are verified and all of the target was looked at. A run that was cut off resumes:
    parts that are equal already are left alone.

    :param interval: any; of windows that stick out of it only the points inside
    :param run: who runs it
    :param now: the clock, aware UTC
    :raises ArchiveMissing: when there is no archive of some part, unless that is allowed
    :raises ArchiveMismatch: when a file is not what its manifest says
    :raises RestoreConflict: when the target has other points, unless they may be overwritten
    :raises ConfigurationError: when the target would drop points
    :raises SourceChanging: when windows have a newer generation by the time that they are claimed
    :raises PartialWrite: when the target is not equal to the archive in the end, or series were erased meanwhile
    :raises RestoreIncomplete: after all others are written, when the archive has points that no write can make
    """
    began = now()
    spec = yield from located_source(spec)
    ready = yield from _prepare(spec, interval, began, acts=True)
    whole, purges = ready.run, ready.purges
    require_no_conflict(spec, ready.all_looks)
    yield from ensure_ledger(spec.ledger_bucket, interval)
    done: list[Restored] = []
    lifted = []
    for source, looks in zip(ready.sources, ready.looks, strict=True):
        yield from ask(Progressed(message="windows restored", done=len(done), total=len(ready.sources)))
        source_began = now()
        with about_window(source.interval), unless_told("some points of it may be, and no receipt of it"):
            one = yield from _unless_erased(whole, _restore_piece(whole, source, looks))
            yield from _require_not_erased(whole, one.written)
        seconds = (now() - source_began).total_seconds()
        with about_window(source.interval, "the points, and no receipt of it"):
            if not one.lost:
                lifted += yield from _unless_erased(whole, lift(whole, source, purges))
            receipt = signed(_receipt(spec, one, now(), seconds), run)
            yield from ask(Write(spec.ledger_bucket, encode_receipts([receipt])))
        yield from ask(Report(_told(spec, one)))
        done.append(one)
    seconds = (now() - began).total_seconds()
    result = RestoreResult(
        spec=spec,
        interval=interval,
        pieces=tuple(done),
        missing=ready.gaps,
        lifted=tuple(lifted),
        seconds=seconds,
    )
    require_all_restored(result)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePlan:
    """Plan of a restore.

    :param spec: whose archive was found
    :param sources: archived windows
    :param looks: what the target holds, for each part of them
    :param gaps: parts of the interval that were never archived
    """

    spec: RestoreSpec
    interval: Interval
    sources: Sequence[RestoreSource]
    looks: Sequence[TargetPart]
    gaps: Sequence[Interval]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The return value of the stage."""
        found = [look.comparison for look in self.looks if look.comparison is not None]
        manifests = {layer.folder: layer.manifest for source in self.sources for layer in source.layers}
        return {
            "window": self.interval.as_json(),
            "windows": len(self.sources),
            "rows_archived": sum(manifest.content.total.rows for manifest in manifests.values()),
            "bytes": sum(manifest.size_bytes for manifest in manifests.values()),
            "equal": sum(one.equal for one in found),
            "changed": sum(one.changed for one in found),
            "unknown": sum(one.unknown for one in found),
            "examples": [example for one in found for example in one.examples][:MAX_EXAMPLES],
            "lost": sum(look.lost for look in self.looks),
            "lost_series": list(lost_series(self.looks)),
            "missing": [gap.as_json() for gap in self.gaps],
            "state": PLANNED,
            "path": f"{self.spec.shown_path}/{self.spec.folder}",
            "seconds": round(self.seconds, 3),
            "pipeline": self.spec.pipeline,
        }


def plan_restore(spec: RestoreSpec, interval: Interval, now: Clock) -> Steps[RestorePlan]:
    """Dry run of a restore; nothing is written.

    :param interval: any
    :param now: the clock, aware UTC
    :raises InfluxRollupError: as ``restore`` does, but for points that are in the way: they are counted
    """
    began = now()
    spec = yield from located_source(spec)
    ready = yield from _prepare(spec, interval, began, acts=False)
    seconds = (now() - began).total_seconds()
    return RestorePlan(
        spec=spec,
        interval=interval,
        sources=ready.sources,
        looks=ready.all_looks,
        gaps=ready.gaps,
        seconds=seconds,
    )


@dataclass(frozen=True, kw_only=True)
class _Ready:
    """Facts known before anything is written.

    :param looks: what the target holds, for each source
    :param gaps: parts of the interval that were never archived
    :param purges: of these points, as they were before the target was looked at
    """

    run: RestoreRun
    sources: Sequence[RestoreSource]
    looks: Sequence[Sequence[TargetPart]]
    gaps: tuple[Interval, ...]
    purges: Purges

    @property
    def all_looks(self) -> list[TargetPart]:
        """What the target holds, of all sources."""
        return [look for looks in self.looks for look in looks]


def _prepare(spec: RestoreSpec, interval: Interval, now: datetime, *, acts: bool) -> Steps[_Ready]:
    target = yield from require_bucket(spec.target_bucket, interval)
    fences = yield from read_fences(spec.folder)
    sources, gaps = yield from find_sources(spec, interval)
    require_kept(sources, target, now)
    yield from verify_sources(sources)
    purges = (yield from find_purges(spec, interval, sources)) if acts else Purges()
    if purges.claims:
        # marks that were found since may be of a later generation, which has points that this one lacks
        yield from require_newest(spec, interval, sources)
    run = RestoreRun(spec, target, fences)
    looks = []
    for source in sources:
        found = yield from look_at_target(run, source)
        looks.append(found)
    return _Ready(run=run, sources=sources, looks=looks, gaps=tuple(gaps), purges=purges)


def _restore_piece(run: RestoreRun, source: RestoreSource, looks: Sequence[TargetPart]) -> Steps[Restored]:
    total, series, written = NOTHING, 0, 0
    looks = list(looks)
    for number, first in enumerate(looks):
        look = first
        if first.needs_writing:
            yield from _require_not_erased(run, written)
            look = looks[number] = yield from _look_again(run, first, written)
        known = look.comparison
        if known is not None and not look.needs_writing:
            total, series = total.plus(known.archived), max(series, known.series)
            continue
        sent = yield from _write(run.spec, look)
        kept = [] if known is None else [known.kept]
        yield from _prove(run, look.interval, merge([sent, *kept]))
        total, series = total.plus(sent.total), max(series, sent.series_count)
        written += sent.total.rows
        if len(looks) > 1:
            yield from ask(Report(f"{look.interval}: {sent.total.rows:,} points written and proven"))
    compared = [look.comparison for look in looks if look.comparison is not None]
    return Restored(
        interval=source.interval,
        generation=source.generation,
        rows=total.rows,
        written=written,
        series=series,
        checksum=total.hash,
        replaced=sum(one.changed for one in compared),
        unknown=sum(one.unknown for one in compared),
        lost=sum(look.lost for look in looks),
        lost_series=lost_series(looks),
    )


def _look_again(run: RestoreRun, look: TargetPart, written: int) -> Steps[TargetPart]:
    """The last look before a part is written: what came since the first one, which was of all parts.

    :raises RestoreConflict: when other points came, unless they may be overwritten
    """
    look = yield from look_at_part(run, look)
    before = f"{written:,} points of earlier parts" if written else "nothing"
    require_no_conflict(run.spec, [look], before)
    return look


def _unless_erased(run: RestoreRun, steps: Steps[Result]) -> Steps[Result]:
    """An erasure has removed the files that are not there any more: no one should look for a copy of them."""
    try:
        return (yield from steps)
    except ArchiveMissing:
        yield from _require_not_erased(run, None)
        raise


def _require_not_erased(run: RestoreRun, written: int | None) -> Steps[None]:
    """Refuse to continue when the archive's files may have lost points since they were chosen.

    An erasure looks at the bucket after its last fence: it finds what was written before that.

    :param written: how many points this run has written; None: it is not known
    :raises PartialWrite: when there was an erasure
    """
    if (yield from read_fences(run.spec.folder)) == run.fences:
        return
    what = "series of the measurement were erased while points of it were restored"
    if written == 0:
        raise PartialWrite(what, written="nothing", fix="run it again")
    some = "some points, or none" if written is None else f"{written:,} points"
    said = f"{some}, some of which may be of these series"
    raise PartialWrite(what, written=said, fix="run the erasure again, and then the restore")


def _write(spec: RestoreSpec, look: TargetPart) -> Steps[Fingerprint]:
    step = WritePoints(
        layers=look.source.paths(look.interval),
        bucket=spec.target_bucket,
        measurement=spec.output_measurement,
        interval=look.interval,
        doubled=look.doubled.keys,
    )
    try:
        sent: Fingerprint = yield from ask(step)
    except (WriteRejected, QueryFailed) as error:
        if not is_type_conflict(error):
            raise
        what = f"{spec.target_bucket}/{spec.output_measurement} has, or had, a field of another type in this time: {error.what}"
        fix = "restore into another bucket or measurement; InfluxDB keeps one type of a field in each shard"
        raise RestoreConflict(what, window=look.interval, written=error.written, fix=fix) from error
    return sent


def _prove(run: RestoreRun, interval: Interval, expected: Fingerprint) -> Steps[None]:
    """Read the target again, and compare it series by series.

    :raises PartialWrite: naming the fields that differ
    """
    plan = yield from plan_read(run.spec.target, interval, run.target)
    found: Fingerprint = yield from fingerprint_source(run.spec.target, plan)
    differences = expected.differences(found, "the archive", "the bucket")
    others = _differing(expected.series, found.series)
    if differences or others:
        what = f"{others} series of the target are not what was written: {few(differences, MAX_EXAMPLES)}"
        fix = "look for what else writes there, then run it again"
        raise PartialWrite(what, window=interval, written="the points of the archive", fix=fix)


def _differing(expected: Mapping[int, Total], found: Mapping[int, Total]) -> int:
    return sum(1 for series in {*expected, *found} if expected.get(series) != found.get(series))


def _receipt(spec: RestoreSpec, one: Restored, now: datetime, seconds: float) -> Receipt:
    return Receipt(
        pipeline=spec.pipeline,
        stage=STAGE,
        window=one.interval,
        state=State.COMMITTED,
        written_at=now,
        generation=one.generation,
        rows_in=one.rows,
        rows_out=one.written,
        series=one.series,
        checksum=one.checksum,
        seconds=seconds,
    )


def _told(spec: RestoreSpec, one: Restored) -> str:
    text = (
        f"{one.interval} of {spec.source_bucket}/{spec.measurement}: generation {one.generation}, {one.rows:,} points, "
        f"of which {one.written:,} were written to {spec.target_bucket}/{spec.output_measurement}"
    )
    if one.lost:
        text += f"; {one.lost:,} could not be written"
    if one.replaced or one.unknown:
        text += f"; {one.replaced:,} had another value, {one.unknown:,} are not in the archive and stay"
    return text
