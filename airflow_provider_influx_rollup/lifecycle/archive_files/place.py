"""Find the folder of a bucket's archive: it keeps its name when the bucket or the organisation is renamed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from airflow_provider_influx_rollup.flux.ledger_read import ArchiveFolders
from airflow_provider_influx_rollup.flux.purges import MarksOfBucket
from airflow_provider_influx_rollup.ledger.archive_folders import (
    ArchiveFolder,
    encode_folder,
)
from airflow_provider_influx_rollup.ledger.purges import LIFTED, encode_mark
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.ledger.purge_marks_read import without_superseded
from airflow_provider_influx_rollup.steps.ask import ask, gather
from airflow_provider_influx_rollup.steps.influx import Bucket, FindBucket
from airflow_provider_influx_rollup.steps.step import Steps


def located(spec: ArchiveSpec) -> Steps[ArchiveSpec]:
    """An archive with the folder that its bucket has, which may be named after an earlier name."""
    return (yield from find_place(spec))[0]


def find_place(spec: ArchiveSpec) -> Steps[tuple[ArchiveSpec, list[str]]]:
    """An archive with its folder, and what the ledger is to remember of it, in this order.

    The first that archives or purges a bucket writes that: its folder, and its id in marks of before there were ids.
    """
    bucket, ledger = yield from gather(FindBucket(spec.bucket), FindBucket(spec.ledger_bucket))
    if bucket is None or ledger is None:
        return spec, []
    folders = yield from ask(ArchiveFolders(spec.ledger_bucket))
    known = folder_of_id(folders, bucket.id)
    if known is not None:
        return replace(spec, kept_as=known.names), []
    made = _new_folder(spec, bucket, folders)
    adopted = (yield from _adopted_marks(spec.ledger_bucket, bucket)) if made.bucket == bucket.name else []
    return replace(spec, kept_as=made.names), [*adopted, encode_folder(made)]


def earlier_names(bucket: str, ledger_bucket: str) -> Steps[tuple[str, str] | None]:
    """Organisation and bucket that the folder of a renamed bucket is named after; None when no record names it.

    :param ledger_bucket: empty: no server is asked
    """
    if not ledger_bucket:
        return None
    found, ledger = yield from gather(FindBucket(bucket), FindBucket(ledger_bucket))
    if found is None or ledger is None:
        return None
    folder = folder_of_id((yield from ask(ArchiveFolders(ledger_bucket))), found.id)
    return None if folder is None else folder.names


def folder_of_id(folders: Sequence[ArchiveFolder], bucket_id: str) -> ArchiveFolder | None:
    """Folder of the bucket with an id; None when the ledger names none."""
    return next((one for one in folders if one.bucket_id == bucket_id), None)


def folder_of_names(folders: Sequence[ArchiveFolder], org: str, bucket: str) -> ArchiveFolder | None:
    """Folder that is named after an organisation and a bucket; None when there is none."""
    return next((one for one in folders if one.names == (org, bucket)), None)


def _new_folder(spec: ArchiveSpec, bucket: Bucket, folders: Sequence[ArchiveFolder]) -> ArchiveFolder:
    """Named after the bucket, unless another bucket had the name and has its archive there."""
    if folder_of_names(folders, spec.org, spec.bucket) is None:
        return ArchiveFolder(bucket.id, spec.org, spec.bucket)
    return ArchiveFolder(bucket.id, spec.org, f"{spec.bucket}@{bucket.id}")


def _adopted_marks(ledger_bucket: str, bucket: Bucket) -> Steps[list[str]]:
    """The marks that count by the bucket's name, with its id: from now on they follow it."""
    marks = without_superseded((yield from ask(MarksOfBucket(ledger_bucket, bucket.name))))
    return [
        encode_mark(replace(mark, bucket_id=bucket.id))
        for mark in marks
        if not mark.bucket_id and mark.state != LIFTED
    ]
