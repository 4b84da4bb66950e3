"""One round of an erasure: the source first, then a fence, the archive, copies, and what was made of the points."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_influx_rollup.exceptions import BucketNotFound, ConfigurationError, SourceChanging
from airflow_provider_influx_rollup.flux.erase import TextRecord
from airflow_provider_influx_rollup.lifecycle.archive_files.fences import put_fence
from airflow_provider_influx_rollup.lifecycle.archive_files.index import fold_marks
from airflow_provider_influx_rollup.lifecycle.erase.archive import RewriteRun, clear_window
from airflow_provider_influx_rollup.lifecycle.erase.copies import clear_copies
from airflow_provider_influx_rollup.lifecycle.erase.found import ErasureFindings, found_of
from airflow_provider_influx_rollup.lifecycle.erase.look import Looker
from airflow_provider_influx_rollup.lifecycle.erase.put_aside import clear_put_aside
from airflow_provider_influx_rollup.lifecycle.erase.receipts import Restatement, restate
from airflow_provider_influx_rollup.lifecycle.erase.source import delete_matching, source_of
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.lifecycle.erase.state import EraseState, write_state
from airflow_provider_influx_rollup.lifecycle.erase.targets import (
    Reader,
    find_rows,
    place_name,
    reach_of,
    written_spans,
)
from airflow_provider_influx_rollup.lifecycle.erase.writing import WritingRun, WritingRuns
from airflow_provider_influx_rollup.lifecycle.reconcile.reconcile_run import ReconcileRun
from airflow_provider_influx_rollup.lifecycle.reconcile.result import ReconcileResult
from airflow_provider_influx_rollup.lifecycle.reconcile.windows import reconcile_windows
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Progressed, Report
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.coverage import subtract
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.lateness import is_due

TRIES = 3
EARLIER, PART = "a target that the pipeline had before", "a part of the window is not erased"


@dataclass(kw_only=True)
class ErasureRun:
    """Deletes what was found.

    :param kept: pipelines with windows that still hold something of the series, with the reason
    :param remade: windows that were computed again, by pipeline
    :param begun: places where this run has begun to delete
    :param put_aside: records of values put aside that were written again
    :param writing: runs that may have read what is deleted, and were writing before their rows were
    """

    look: Looker
    rewriting: RewriteRun
    restating: Restatement
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    remade: dict[str, int] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    put_aside: list[TextRecord] = field(default_factory=list)
    writing: list[WritingRun] = field(default_factory=list)

    @property
    def spec(self) -> EraseSpec:
        """The series to erase."""
        return self.look.spec

    @property
    def runs(self) -> WritingRuns:
        """Those that write windows of the series."""
        return WritingRuns(self.spec, self.rewriting.erase_id, self.restating.now)

    def clear(self, state: EraseState) -> Steps[EraseState]:
        """Delete everywhere, in an order in which no run can bring back what is deleted already.

        :return: with the rows that came since the look
        :raises PartialWrite: when points are still there after they were deleted
        :raises SourceChanging: when others write what is to be deleted
        """
        found = state.all_found
        self.kept, self.remade, self.writing = {}, {}, []
        self._begin("points of the bucket")
        yield from delete_matching(self.look.source, self.spec.span)
        # an archive that has read the bucket before this is not published any more, or its files are found below
        yield from put_fence(self.spec.archive.folder)
        windows = yield from self.look.archive.windows()
        for number, window in enumerate(windows):
            self._begin("files of the archive")
            yield from ask(Progressed(message="archived windows erased", done=number, total=len(windows)))
            yield from self._clear_window(window)
        # a compaction that has read files before they were written again is not published, or found by the next look
        yield from put_fence(self.spec.archive.folder)
        if self.look.archive.has_any:
            yield from fold_marks(self.spec.archive.folder)
        # before the pipelines: some read them
        self._begin("copies")
        yield from clear_copies(self.spec)
        self.put_aside += yield from clear_put_aside(self.spec, self.look.readers)
        for name in self.look.readers.scripts:
            yield from self._note_writing(name, found.spans, state.seen)
        deleted: dict[tuple[str, str], Interval] = {}
        chosen = self.look.readers.chosen
        for number, reader in enumerate(chosen):
            self._begin("rows of pipelines")
            yield from ask(Progressed(message="pipelines erased", done=number, total=len(chosen)))
            # what it reads is deleted by now: who begins after this reads nothing of it, and the rows of those that have ended are there
            spans = written_spans(self.look.readers, reader.place, found)
            yield from self._note_writing(reader.name, spans, state.seen)
            reach = self._reach_of_rows(reader)
            if reach is not None and reader.place not in deleted:
                state = yield from self._look_again(reader.place, state)
                if place_name(reader.place) in state.found.held:
                    yield from delete_matching(source_of(*reader.place, self.spec.tags), reach)
                    # who has begun since the look may have read rows right before they went, to write them back
                    yield from self._note_all_writing(reader.place, state.all_found, state.seen)
                deleted[reader.place] = reach
            if (emptied := deleted.get(reader.place)) is not None:
                recent = yield from self.runs.committed_since(reader.name, emptied, state.began)
                yield from restate(self.restating, reader.rollup, self._rows_of(reader, state), recent)
            yield from self._clear_others(reader, found.spans)
        return replace(state, found=state.found.with_windows(self._written()))

    def _rows_of(self, reader: Reader, state: EraseState) -> dict[int, int]:
        """Windows of a pipeline that may have lost rows: an earlier try deleted those of the same points, when it did not know it."""
        at_place = self.look.readers.at(reader.place)
        others = dict.fromkeys((start for one in at_place for start in state.rows_of(one.name)), 0)
        return {**others, **state.rows_of(reader.name)}

    def _look_again(self, place: tuple[str, str], state: EraseState) -> Steps[EraseState]:
        """The rows of a target right before they are deleted, with those of runs that committed since the look."""
        readers = self.look.readers
        # first who is writing: rows that come after this are of these runs
        yield from self._note_all_writing(place, state.all_found, state.seen)
        held, rows = yield from find_rows(self.spec, readers, place)
        found = state.found.again(found_of([held], (), rows)).with_windows(self._written())
        if found != state.found:
            state = replace(state, found=found)
            # a rerun knows then which receipts are to be made right
            yield from write_state(self.spec, state)
        return state

    def _written(self) -> dict[str, list[int]]:
        """Starts of the windows that others are writing: they may be COMMITTED with rows that are deleted by then."""
        windows: dict[str, list[int]] = {}
        for one in self.writing:
            windows.setdefault(one.pipeline, []).append(one.receipt.window.start_ns)
        return windows

    def _note_all_writing(
        self, place: tuple[str, str], found: ErasureFindings, seen: Collection[str]
    ) -> Steps[None]:
        """Remember the runs of all pipelines that write to a target."""
        spans = written_spans(self.look.readers, place, found)
        for one in self.look.readers.at(place):
            yield from self._note_writing(one.name, spans, seen)

    def _note_writing(self, pipeline: str, spans: Sequence[Interval], seen: Collection[str]) -> Steps[None]:
        """Remember the runs of a pipeline, but for those that are dead: so one is that is as an earlier try saw it.

        What such a run has written by now is deleted with the others' rows; if it only hangs, it finds that its windows
        were taken before it commits more.

        :param seen: hashes of runs that an earlier try saw writing
        """
        runs = yield from self.runs.find(pipeline, spans)
        dead = [one for one in runs if one.is_old and one.fingerprint in seen]
        yield from self.runs.take(dead)
        self.writing += [one for one in runs if one not in dead and one not in self.writing]

    def _begin(self, what: str) -> None:
        """For the message of an error."""
        if what not in self.begun:
            self.begun.append(what)

    def _clear_window(self, window: Interval) -> Steps[None]:
        for _ in range(TRIES):
            files = yield from self.look.archive.look(window)
            if (yield from clear_window(self.rewriting, files)):
                return
        what = (
            "runs kept archiving, purging or restoring the window while the series were erased from its files"
        )
        fix = "run it again when these runs have ended: it continues where it stopped"
        raise SourceChanging(what, window=window, written="no certificate", fix=fix)

    def _reach_of_rows(self, reader: Reader) -> Interval | None:
        """Where the tags tell all rows of the series in a target; None when they tell none of them."""
        return None if reader.why else reach_of(self.spec, self.look.readers, reader.place)

    def _clear_others(self, reader: Reader, spans: Sequence[Interval]) -> Steps[None]:
        """The windows whose rows cannot be told by the tags."""
        if not reader.why:
            reach = self._reach_of_rows(reader)
            # windows that stick out of the interval hold points that stay
            spans = subtract([self.spec.interval], [reach] if reach else []) if self.spec.interval else ()
        if spans and reader.is_earlier:
            self.kept[f"{self.spec.shown(reader.name)}, {'/'.join(reader.place)}"] = {
                "why": f"{EARLIER}: {reader.why or PART}"
            }
        elif spans:
            yield from self._compute_again(reader, spans)

    def _compute_again(self, reader: Reader, spans: Sequence[Interval]) -> Steps[None]:
        """Windows whose rows cannot be told by the tags: from what the source has now, where it has all."""
        rollup, how = reader.rollup, self.restating
        receipts = yield from self.runs.receipts(reader.name, spans)
        lateness = Duration.of(rollup.lateness, allow_zero=True)
        # what a run is writing is left to it: it is found writing until it has ended
        written = {one.receipt.window for one in self.writing if one.pipeline == reader.name}
        due = [one.window for one in receipts if is_due(one.window, lateness, how.now())]
        windows = [window for window in due if window not in written]
        if not windows:
            return
        try:
            run = ReconcileRun(spec=rollup, info=how.info, now=how.now, stored=how.stored)
            result = yield from reconcile_windows(run, windows)
        except (ConfigurationError, BucketNotFound) as error:
            # such as a pipeline whose target is another one's now
            yield from self._keep(reader, dict.fromkeys(windows, error.what))
            return
        self.remade[self.spec.shown(reader.name)] = len(result.repaired.windows)
        yield from self._keep(reader, _left(result))

    def _keep(self, reader: Reader, windows: Mapping[Interval, str]) -> Steps[None]:
        """Remember which windows still hold something, and tell."""
        if not windows:
            return
        why = f"{reader.why or PART}: {windows[min(windows)]}"
        span = Interval.spanning(windows)
        name = self.spec.shown(reader.name)
        self.kept[name] = {"why": why, "windows": len(windows), "interval": span.as_json()}
        text = f"Pipeline {name}: {len(windows)} windows are kept as they are, {why}"
        yield from ask(Report(text, "warning"))


def _left(result: ReconcileResult) -> Mapping[Interval, str]:
    """Windows that are not as the source gives them now, with the reason."""
    left = {one.window: one.why for one in (*result.purged, *result.frozen, *result.waiting)}
    left |= {window: error.what for window, error in result.failed.items()}
    return left | dict.fromkeys(result.repaired.unsettled, "its source keeps changing")
