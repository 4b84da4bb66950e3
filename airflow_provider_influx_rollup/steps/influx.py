"""The steps a verb yields. A driver acts them out and sends the result back into the generator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.flux.write_points import FluxPoint
from airflow_provider_influx_rollup.step import Answer, Change, Step
from airflow_provider_influx_rollup.windows.interval import Interval

if TYPE_CHECKING:
    # read in the texts of the answers' types
    from airflow_provider_influx_rollup.archive.annotated_rows import Row  # noqa: F401


@dataclass(frozen=True, slots=True)
class Query(Change["list[Row]"]):
    """Run a user's Flux; the result is ``list[Row]`` of ``archive/annotated_rows.py``: its columns, and its yield's name.

    What this package asks itself is a step of its own, with a type of its rows: see ``flux/query.py``.

    :param flux: the text
    :param extern: a Flux AST file whose options are bound before the query (see ``flux/extern.py``)
    :param now: what ``now()`` is in the query
    :param as_sent: texts without the carriage returns that the server's CSV loses: the ledger has none, and a script that
        writes is not run twice
    :param keeps_bytes: whether bytes that are not UTF-8 become lone surrogates; else they are an error
    """

    flux: str
    _: KW_ONLY
    extern: Mapping[str, Any] | None = None
    now: datetime | None = None
    as_sent: bool = False
    keeps_bytes: bool = False


@dataclass(frozen=True, slots=True)
class ParseScript(Step["dict[str, Any]"]):
    """Parse a Flux script on the server; the result is its AST as a dict (a Flux ``Package``)."""

    flux: str


@dataclass(frozen=True, slots=True)
class Write(Change[None]):
    """Write line protocol with nanosecond times; the result is None.

    :param points: what line protocol cannot hold, written by Flux after the lines
    """

    bucket: str
    lines: Iterable[str]
    points: tuple[FluxPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Delete(Change[None]):
    """Delete the points of a half-open interval; the result is None.

    :param tags: tag key and value, all of which must be equal; series that have more tags match too
    :param lacking: but not those that have one of these keys
    """

    bucket: str
    interval: Interval
    measurement: str
    tags: Mapping[str, str] = field(default_factory=dict)
    _: KW_ONLY
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckWritable(Step[None]):
    """Ask whether the token may write to a bucket that exists, and write nothing; the result is None."""

    bucket: str


@dataclass(frozen=True, slots=True)
class FindBucket(Step["Bucket | None"]):
    """Look a bucket up; the result is a ``Bucket`` or None."""

    name: str


@dataclass(frozen=True, slots=True)
class FindBucketById(Step["Bucket | None"]):
    """Look a bucket up by its id; the result is a ``Bucket`` or None."""

    id: str


@dataclass(frozen=True, slots=True)
class ShowKeys(Step["SourceKeys"]):
    """List the keys of a measurement; the result is ``SourceKeys``."""

    bucket: str
    measurement: str


@dataclass(frozen=True, slots=True)
class SourceKeys:
    """The keys of a measurement, of all times.

    :param tags: tag keys, sorted
    :param fields: every type that a field ever had: ``"float"``, ``"integer"``, ``"unsigned"``, ``"boolean"``, ``"string"``
    """

    tags: tuple[str, ...]
    fields: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class EnsureBucket(Step["Bucket"]):
    """Create a bucket unless it exists; the result is its ``Bucket``.

    :param retention_seconds: 0 keeps forever; an existing bucket keeps its own
    """

    name: str
    retention_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Report(Step[None]):
    """Tell people what is going on; the result is None.

    :param message: one line for the log
    :param level: ``"info"`` or ``"warning"``
    """

    message: str
    level: str = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed(Report):
    """How far a verb has come. The log gets a line now and then, as there may be many of these.

    :param message: what is done, such as ``"windows archived"``
    :param done: how many
    :param total: of how many
    :param refused: how many of them will not be done: they are not waited for
    """

    done: int
    total: int
    refused: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Result of a bucket look-up.

    :param retention_seconds: 0 keeps forever
    :param shard_group_seconds: how much time one shard group holds; 0 when unknown
    :param id: stays when the bucket is renamed; 16 hex digits
    :param org_id: of its organisation, likewise
    """

    name: str
    retention_seconds: int
    shard_group_seconds: int
    id: str = ""
    org_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketSettings:
    """Settings of a bucket.

    :param retention_seconds: 0 keeps forever
    :param labels: their names, sorted
    """

    id: str
    retention_seconds: int
    shard_group_seconds: int
    description: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LookAtBucket(Step[BucketSettings | None]):
    """Look up the settings of a bucket. The result is None when it is missing, or the token may not read it."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyBucket(Change[None]):
    """Make a bucket, or change one.

    :param id: of the one that is changed; empty makes it
    :param retention_seconds: 0 keeps forever
    :param shard_group_seconds: None leaves it, or lets InfluxDB choose
    :param description: None leaves it
    :param labels: those to add; they are made when they are missing
    """

    name: str
    id: str
    retention_seconds: int
    shard_group_seconds: int | None = None
    description: str | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sleep(Step[None]):
    """Wait; the async driver does so without a thread. The result is None.

    :param seconds: how long
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Gather(Step[list[Answer]]):
    """Act several independent steps out at the same time; the result is the list of their results, in order.

    The first error is thrown into the verb after all the steps have ended.
    """

    steps: tuple[Step[Answer], ...]

    @property
    def may_write(self) -> bool:
        """Whether one of them may."""
        return any(step.may_write for step in self.steps)
