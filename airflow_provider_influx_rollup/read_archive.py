"""Read archived points into Arrow, and from there into pandas, Polars or DuckDB: no server and no Airflow is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.stores.archive_store import ArchiveStore
from airflow_provider_influx_rollup.stores.read_archive import PointSelection, list_files, read_table
from airflow_provider_influx_rollup.windows.instants import read_instant
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    import pyarrow as pa

FIRST = datetime(1677, 1, 1, tzinfo=UTC)
LAST = datetime(2263, 1, 1, tzinfo=UTC)


def read_archive(
    path: str,
    start: str | date | None = None,
    stop: str | date | None = None,
    *,
    org: str,
    bucket: str,
    measurement: str,
    tags: Mapping[str, str | Sequence[str]] | None = None,
    fields: str | Sequence[str] | None = None,
    wide: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> pa.Table:
    """Read the points of an interval from the newest generation of each window.

    Tall: columns ``_time`` (nanoseconds, UTC), the tags, ``_field`` and ``_value``, field after field and series after
    series. When the points have values of several types, there is a column for each type instead of ``_value``:
    ``_value_float``, ``_value_integer``, ``_value_unsigned``, ``_value_boolean``, ``_value_string``. An absent tag is null.

    :param path: base folder of the archive, or a URL such as ``s3://lake/telemetry``
    :param start: first time, an aware datetime, ISO 8601 with an offset or ``Z``, or a date: its first instant in UTC; default: the first archived window's
    :param stop: first time after it; default: the last archived window's end
    :param org: organisation that the archive was made of
    :param bucket: bucket that it was made of
    :param measurement: measurement that it was made of
    :param tags: texts to keep, by tag; ``""`` stands for points without the tag
    :param fields: fields to keep
    :param wide: one row for each tag set and time, one column for each field
    :param storage_options: for fsspec's file system, such as ``{"endpoint_url": ...}``
    :raises ArchiveMissing: when nothing of the interval was archived
    :raises ArchiveMismatch: when a file is damaged
    """
    chosen = {key: [text] if isinstance(text, str) else list(text) for key, text in (tags or {}).items()}
    names = [fields] if isinstance(fields, str) else fields
    wanted = PointSelection(
        org=org,
        bucket=bucket,
        measurement=measurement,
        interval=_interval(start, stop),
        tags=chosen,
        fields=names,
    )
    return read_table(ArchiveStore.of_url(path, **(storage_options or {})), wanted, wide=wide)


def archive_files(
    path: str,
    start: str | date | None = None,
    stop: str | date | None = None,
    *,
    storage_options: Mapping[str, Any] | None = None,
    org: str,
    bucket: str,
    measurement: str,
) -> list[str]:
    """List the Parquet files with points of an interval: for engines that read files themselves.

    Windows count as a whole: their files may have points before and after the interval. There is one file for each value
    type and slice of a window; their names begin with the type, such as ``float-``.

    :param path: base folder of the archive, or a URL
    :param start: first time, an aware datetime, ISO 8601 with an offset or ``Z``, or a date: its first instant in UTC
    :param stop: first time after it
    :param org: organisation that the archive was made of
    :param bucket: bucket that it was made of
    :param measurement: measurement that it was made of
    :param storage_options: for fsspec's file system
    :raises ArchiveMissing: when nothing of the interval was archived
    :raises ConfigurationError: when archived windows overlap, so that some files hold points that others replace
    """
    wanted = PointSelection(org=org, bucket=bucket, measurement=measurement, interval=_interval(start, stop))
    return list_files(ArchiveStore.of_url(path, **(storage_options or {})), wanted)


def _interval(start: str | date | None, stop: str | date | None) -> Interval | None:
    if start is None and stop is None:
        return None
    first = FIRST if start is None else read_instant(start, "start")
    last = LAST if stop is None else read_instant(stop, "stop")
    return Interval(first, last)
