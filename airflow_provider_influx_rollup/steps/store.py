"""Steps of verbs that keep files. Paths are relative to the store that the driver was given."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint, Total
from airflow_provider_influx_rollup.archive.manifest import Part
from airflow_provider_influx_rollup.flux.query import PointsQuery
from airflow_provider_influx_rollup.step import Change, Step
from airflow_provider_influx_rollup.windows.interval import Interval

Layers = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class WriteParts(Change[list[Part]]):
    """Stream the answers of queries into Parquet files, one for each value type; the result is ``list[Part]``.

    The files are not whole before the step is: nothing may refer to them until then. A try that was cut is begun again.

    :param points: what is written; no two have a point in common
    :param folder: where the files are made
    :param name: begin of their names, which no other run uses
    :param tags: tag keys; others in the answer are an error
    """

    points: tuple[PointsQuery, ...]
    folder: str
    name: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FingerprintSource(Step[Fingerprint]):
    """Add up what queries return, in flat memory; the result is a ``Fingerprint`` with its series.

    :param points: no two have a point in common
    :param finds_doubled: also find points of one series, field and time, with 8 bytes for each point
    """

    points: tuple[PointsQuery, ...]
    finds_doubled: bool = False


@dataclass(frozen=True, slots=True)
class FingerprintPart(Step[tuple[Part, Fingerprint]]):
    """Read a file back; the result is ``(Part, Fingerprint)``: what the file holds, whatever its manifest says.

    :param path: of the Parquet file
    :param sha256: of the whole file; one with another is an error
    """

    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeParts(Change[tuple[list[Part], Fingerprint]]):
    """Write the points of some files again, without those that later files replace.

    The result is ``(list[Part], Fingerprint)``: the new files, and the points that were replaced.

    :param older: paths of files whose points give way where a later file has the same series, field and time
    :param interval: only its points of the older files; None: all
    :param newer: paths of files that are taken as they are
    :param folder: where the files are made
    :param name: begin of their names
    :param tags: tag keys of the new files
    """

    older: tuple[str, ...]
    newer: tuple[str, ...]
    folder: str
    name: str
    tags: tuple[str, ...]
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class PartsOf:
    """Some points of some files.

    :param files: paths of Parquet files, each with the SHA-256 that it must have
    :param interval: only its points
    """

    files: tuple[tuple[str, str], ...]
    interval: Interval


@dataclass(frozen=True, slots=True)
class JoinParts(Change["Joined"]):
    """Write the points of many files into few, one for each value type, in flat memory; the result is a ``Joined``.

    :param sources: in the order in which their points are written; no two have a point in common
    :param folder: where the files are made
    :param name: begin of their names, which no other run uses
    :param tags: tag keys of the new files
    """

    sources: tuple[PartsOf, ...]
    folder: str
    name: str
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Joined:
    """Result of joining files.

    :param parts: the new files, as they were written
    :param found: what was read from each source; without the series
    :param series: how many tag sets all of them have
    """

    parts: tuple[Part, ...]
    found: tuple[Fingerprint, ...]
    series: int


@dataclass(frozen=True, slots=True)
class FingerprintPoints(Step[Fingerprint]):
    """Add up some points of files, in flat memory; the result is their ``Fingerprint``.

    :param paths: of Parquet files
    :param interval: only its points
    """

    paths: tuple[str, ...]
    interval: Interval


@dataclass(frozen=True, slots=True)
class Tallied:
    """Points of some series in a file.

    :param is_left_over: whether a tag's value is in the file that no row has
    """

    points: Fingerprint
    is_left_over: bool = False


@dataclass(frozen=True, slots=True)
class TallyMatching(Step["Tallied | None"]):
    """Add up the points of a file that have some tags; the result is ``Tallied``, or None when it cannot be read.

    :param path: of the Parquet file
    :param tags: tag key and value, all of which must be equal
    :param interval: only points inside
    """

    path: str
    tags: tuple[tuple[str, str], ...]
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseParts(Change[tuple[list[Part], Fingerprint]]):
    """Write the points of some files again, without those that have some tags.

    The result is ``(list[Part], Fingerprint)``: the new files, and the points that were left out.

    :param paths: of the files
    :param tags: tag key and value, all of which must be equal
    :param interval: only points inside are left out
    :param folder: where the files are made
    :param name: begin of their names
    :param keys: tag keys of the new files
    """

    paths: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    interval: Interval
    folder: str
    name: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindDoubled(Step["Doubled"]):
    """Find the points that files hold several times for one series, field and time; the result is ``Doubled``.

    :param layers: paths of Parquet files; where several have the same series, field and time, the first layer counts
    :param interval: only its points
    """

    layers: Layers
    interval: Interval


@dataclass(frozen=True)
class Doubled:
    """Points of which only one of several can be written.

    :param points: how many they are together
    :param keys: their hashes, for the steps that leave them out
    :param series: the first few of their series, for people
    """

    points: int = 0
    keys: bytes = field(default=b"", repr=False)
    series: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WritePoints(Change[Fingerprint]):
    """Write the points of files into a bucket, vectorised; the result is the ``Fingerprint`` of what was sent.

    :param layers: paths of Parquet files; where several have the same series, field and time, the first layer counts
    :param measurement: name that they get
    :param interval: only its points
    :param doubled: hashes of points that are left out
    """

    layers: Layers
    bucket: str
    measurement: str
    interval: Interval
    doubled: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class CompareParts(Step["Comparison"]):
    """Compare what queries return with files, point by point; the result is a ``Comparison``.

    :param points: what is compared; no two have a point in common
    :param layers: paths of Parquet files; where several have the same series, field and time, the first layer counts
    :param interval: only the points of the files inside it
    :param doubled: hashes of points that cannot be written: the bucket lacks none of them
    """

    points: tuple[PointsQuery, ...]
    layers: Layers
    interval: Interval
    doubled: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Comparison of the points of a bucket with those of some files.

    :param equal: points that are in both, value included
    :param missing: points of the files that the bucket lacks
    :param changed: points of the bucket with the series, field and time of one in the files, and another value or type
    :param unknown: other points of the bucket
    :param archived: the points of the files
    :param series: how many tag sets they have
    :param kept: fingerprint of the unknown ones, and of those that cannot be written
    :param examples: some of the changed and unknown ones, for people
    :param doubled: points of the files that cannot be written, and that the bucket has
    """

    equal: int
    missing: int
    changed: int
    unknown: int
    archived: Total
    series: int
    kept: Fingerprint
    examples: tuple[str, ...] = ()
    doubled: int = 0


@dataclass(frozen=True, slots=True)
class ReadBytes(Step[bytes | None]):
    """Read a small file; the result is ``bytes``, or None when there is none."""

    path: str


@dataclass(frozen=True, slots=True)
class PutNew(Change[bool]):
    """Make a small file appear as a whole, unless there is one; the result is whether this step made it."""

    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class PutOver(Change[None]):
    """Make a small file appear as a whole, in place of one that is there; the result is None."""

    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ListFolder(Step[list[str]]):
    """List a folder; the result is a sorted ``list[str]`` of names, empty when there is none."""

    path: str


@dataclass(frozen=True, slots=True)
class RemoveFiles(Change[None]):
    """Remove files that are there; the result is None."""

    paths: tuple[str, ...]
