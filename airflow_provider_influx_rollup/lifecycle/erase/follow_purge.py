"""A purged window whose archive is written again: the generation that stands for its points is the new one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from airflow_provider_influx_rollup.archive.paths import window_folder
from airflow_provider_influx_rollup.ledger.purges import encode_mark
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.archive_files.purge_state import read_purge, write_purge
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import overlapping_marks
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval


def follow_purge(archive: ArchiveSpec, window: Interval, gone: Collection[int], number: int) -> Steps[None]:
    """Name the new generation in the mark of a purge, and in what it says beside the archive.

    :param gone: the generations whose files hold points of the series
    :param number: of the one that takes their place
    """
    folder = window_folder(archive.folder, window)
    purge = yield from read_purge(folder)
    if purge is not None and purge.generation in gone and purge.generation != number:
        yield from write_purge(folder, replace(purge, generation=number))
    marks = yield from overlapping_marks(archive.ledger_bucket, archive.bucket, archive.measurement, window)
    old = [mark for mark in marks if mark.window == window and mark.generation in gone]
    lines = [encode_mark(replace(mark, generation=number)) for mark in old if mark.generation != number]
    if lines:
        yield from ask(Write(archive.ledger_bucket, lines))
