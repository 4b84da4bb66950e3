"""Purged points that an archive does not hold by its own windows: what the bucket has is a rest then, and never all."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_influx_rollup.exceptions import ArchiveMissing
from airflow_provider_influx_rollup.ledger.purges import PurgeMark
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.archive_files.index import find_entries
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import overlapping_marks
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.coverage import subtract
from airflow_provider_influx_rollup.windows.interval import Interval


def find_marks(spec: ArchiveSpec, window: Interval) -> Steps[tuple[PurgeMark, ...]]:
    """The marks of purges that took points of a window, of whatever path and of windows of whatever length."""
    marks = yield from overlapping_marks(spec.ledger_bucket, spec.bucket, spec.measurement, window)
    return tuple(marks)


def marks_elsewhere(
    spec: ArchiveSpec, window: Interval, marks: Sequence[PurgeMark], *, is_archived: bool
) -> Steps[list[PurgeMark]]:
    """The marks whose points no other archived window under this path stands for.

    They were purged with an archive under another path, or what says here that they were purged is gone: a restore that
    hung may have removed it.

    :param is_archived: whether the window has a generation; then a longer window that was compacted from it does not
        count: the window's own generation decides
    """
    found: list[PurgeMark] = []
    for mark in marks:
        is_own = is_archived and window.covers(mark.window)
        entries = yield from find_entries(spec.folder, mark.window)
        others = [entry for entry in entries if entry.window != window]
        held = [
            part for entry in others if not (is_own and entry.window.covers(window)) for part in entry.covered
        ]
        if subtract([mark.window], held):
            found.append(mark)
    return found


def require_archived_before(spec: ArchiveSpec, window: Interval, marks: Sequence[PurgeMark]) -> None:
    """Refuse a first generation that would lack purged points, and would look whole.

    :param marks: of purges whose points are not under this path
    :raises ArchiveMissing: when there are some, unless what is left is wanted
    """
    if marks and not spec.force:
        what = f"{marks[0].text()}, and {spec.shown_path}/{spec.folder} does not have it"
        fix = (
            "use the path that the purge used, restore the window first, "
            "or set force=True to archive what is left"
        )
        raise ArchiveMissing(what, window=window, written="nothing", fix=fix)
