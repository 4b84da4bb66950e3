"""Look at the windows of many pipelines at once: by whole columns of the ledger, so that 100,000 windows take a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.flux.ledger_read import ArchiveFolders
from airflow_provider_influx_rollup.flux.purges import OverlappingMarks
from airflow_provider_influx_rollup.flux.receipt_columns import CommittedOfStage, ReceiptTexts
from airflow_provider_influx_rollup.ledger.archive_folders import ArchiveFolder
from airflow_provider_influx_rollup.ledger.codec import CLAIM_FIELDS
from airflow_provider_influx_rollup.ledger.planned import PLAN
from airflow_provider_influx_rollup.ledger.text_columns import TextColumn
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import STAGE as ARCHIVE
from airflow_provider_influx_rollup.lifecycle.archive_files.place import folder_of_id
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import Marks, is_of, read_marks
from airflow_provider_influx_rollup.lifecycle.overview.judge import Known, PipelineWindows, judged
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.lifecycle.run.stages import ROLLUP
from airflow_provider_influx_rollup.steps.ask import ask, gather
from airflow_provider_influx_rollup.steps.influx import Bucket, FindBucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.step import Step

#: a query names all its pipelines
MAX_PER_QUERY = 100
#: archives may have longer windows than what is looked at
LONGEST_ARCHIVE = timedelta(days=367)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """Fields of the receipts, by pipeline."""

    states: Mapping[str, TextColumn]
    plans: Mapping[str, TextColumn]
    other_hashes: Mapping[str, TextColumn]
    claimed_by: Mapping[str, TextColumn]
    committed_by: Mapping[str, TextColumn]
    incomplete: Mapping[str, TextColumn]


def look_at_windows(
    specs: Mapping[str, RollupSpec], ledger_bucket: str, interval: Interval, now: datetime
) -> Steps[list[PipelineWindows]]:
    """The windows that an interval touches, of each pipeline, each with its state.

    :param specs: in force, by the pipeline's name; they are shown in this order
    :param ledger_bucket: must exist
    :param interval: any; each pipeline takes the whole windows of its grid that it touches
    :param now: the time now, aware UTC
    :raises WindowError: when a grid cuts it into too many windows
    """
    windows = {name: windows_touched(spec, interval) for name, spec in specs.items()}
    if not windows:
        return []
    starts = Interval(
        min(some[0].start for some in windows.values()), max(some[-1].stop for some in windows.values())
    )
    columns = yield from _columns(specs, ledger_bucket, starts)
    buckets = yield from _buckets(specs)
    marks = yield from _marks(specs, ledger_bucket, starts)
    archives = yield from gather(
        CommittedOfStage(ledger_bucket, ARCHIVE, Interval(earlier_by_an_archive(starts.start), starts.stop)),
        ArchiveFolders(ledger_bucket),
    )
    found = []
    for name, spec in specs.items():
        source = buckets[spec.source_bucket]
        known = Known(
            states=columns.states.get(name),
            plans=columns.plans.get(name),
            other_hashes=columns.other_hashes.get(name),
            claimed_by=columns.claimed_by.get(name),
            committed_by=columns.committed_by.get(name),
            incomplete=columns.incomplete.get(name),
            purged=_purged(marks, spec),
            archived=_archived(*archives, spec, source),
            source=source,
            # a token of the ledger alone sees neither bucket
            has_target=source is None or buckets[spec.target_bucket] is not None,
        )
        found.append(judged(spec, windows[name], known, now))
    return found


def windows_touched(spec: RollupSpec, interval: Interval) -> list[Interval]:
    """The windows of a pipeline whose cells an interval touches, in order; at least one.

    :param interval: any
    :raises WindowError: when there are more than a million
    """
    grid = spec.grid.grid()
    return grid.windows(Interval(grid.floor(interval.start), grid.ceil(interval.stop)))


def earlier_by_an_archive(instant: datetime) -> datetime:
    """The instant from which on windows of archives may reach as far as another instant."""
    return instant - LONGEST_ARCHIVE


def _columns(specs: Mapping[str, RollupSpec], ledger_bucket: str, starts: Interval) -> Steps[_Columns]:
    names = list(specs)
    usual = {name: spec.spec_hash() for name, spec in specs.items()}
    nothing = dict.fromkeys(names, "")
    states, plans, other_hashes, claimed_by, committed_by, incomplete = parts = [
        dict[str, TextColumn]() for _ in range(6)
    ]
    for first in range(0, len(names), MAX_PER_QUERY):
        some = names[first : first + MAX_PER_QUERY]
        asked = [
            ReceiptTexts(
                ledger_bucket=ledger_bucket,
                pipelines=some,
                stage=ROLLUP,
                starts=starts,
                name=field,
                usual=left_out,
            )
            for field, left_out in (
                ("state", {}),
                (PLAN, nothing),
                ("spec_hash", usual),
                *((claim, {}) for claim in CLAIM_FIELDS),
                ("incomplete", nothing),
            )
        ]
        for part, answer in zip(parts, (yield from gather(*asked)), strict=True):
            part.update(answer)
    return _Columns(
        states=states,
        plans=plans,
        other_hashes=other_hashes,
        claimed_by=claimed_by,
        committed_by=committed_by,
        incomplete=incomplete,
    )


def _buckets(specs: Mapping[str, RollupSpec]) -> Steps[Mapping[str, Bucket | None]]:
    names = sorted({name for spec in specs.values() for name in (spec.source_bucket, spec.target_bucket)})
    asked: list[Step[Any]] = [FindBucket(name) for name in names]
    return dict(zip(names, (yield from gather(*asked)), strict=True))


def _marks(specs: Mapping[str, RollupSpec], ledger_bucket: str, span: Interval) -> Steps[Marks]:
    """Marks of whatever bucket: one look for all pipelines, and most often there are none."""
    starts = yield from ask(OverlappingMarks(ledger_bucket, None, span))
    first = next(iter(specs.values())).source_bucket
    return (yield from read_marks(ledger_bucket, first, None, span, starts))


def _purged(marks: Marks, spec: RollupSpec) -> list[Interval]:
    return [
        mark.window
        for mark in (*marks.own, *marks.others)
        if mark.measurement == spec.measurement and is_of(mark, spec.source_bucket, marks.names)
    ]


def _archived(
    committed: Sequence[tuple[str, Interval]],
    folders: Sequence[ArchiveFolder],
    spec: RollupSpec,
    source: Bucket | None,
) -> list[Interval]:
    """Windows of archives that have the name that is made of a bucket and a measurement."""
    folder = None if source is None else folder_of_id(folders, source.id)
    buckets = {spec.source_bucket} | ({folder.bucket} if folder is not None else set())
    names = {f"{bucket}/{spec.measurement}->archive" for bucket in buckets}
    return [window for name, window in committed if name in names]
