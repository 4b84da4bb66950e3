"""Steps that read and write a lakehouse table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.archive.fingerprint import Total
from airflow_provider_influx_rollup.step import Change, Step
from airflow_provider_influx_rollup.windows.interval import Interval

NO_TABLE = -1
#: of a commit's metadata
NOTE = "influx_rollup"


@dataclass(frozen=True, slots=True)
class TableAt:
    """A table, and what must be in it.

    :param uri: a folder or a URL, without secrets
    :param about: whose points it holds; the table says so itself
    """

    uri: str
    about: str


@dataclass(frozen=True, slots=True)
class ReadTable(Step["TableState"]):
    """Read the history of a table; the result is a ``TableState``."""

    table: TableAt


@dataclass(frozen=True)
class TableState:
    """History of a table.

    :param version: of the table; -1 when there is none
    :param notes: what exports wrote to their commits, the oldest first
    """

    version: int
    notes: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class CommitPoints(Change[int | None]):
    """Bring points of files into a table in one commit; the result is the table's version, or None.

    None: another export has committed since the history was read; nothing was written.

    :param seen: version of the table whose history was read
    :param files: paths of Parquet files, each with the SHA-256 that it must have
    :param interval: only its points
    :param tags: tag keys of the files
    :param replaces: whether points of the interval that are in the table go in the same commit
    :param expected: what the points must be
    :param note: for the commit's metadata
    """

    table: TableAt
    seen: int
    files: tuple[tuple[str, str], ...]
    interval: Interval
    tags: tuple[str, ...]
    replaces: bool
    expected: Total
    note: Mapping[str, Any]
