"""A store of archives in memory: small files that appear as a whole, files of points, and what is read of both.

A file of points is a text of its own form, which only this module reads: what a verb knows of one, it knows by its steps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Any

from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint, Total
from airflow_provider_influx_rollup.archive.manifest import Part
from airflow_provider_influx_rollup.exceptions import ArchiveMismatch, ArchiveMissing
from airflow_provider_influx_rollup.steps.store import (
    CompareParts,
    Comparison,
    Doubled,
    EraseParts,
    FindDoubled,
    FingerprintPart,
    FingerprintPoints,
    FingerprintSource,
    Joined,
    JoinParts,
    ListFolder,
    MergeParts,
    PutNew,
    PutOver,
    ReadBytes,
    RemoveFiles,
    Tallied,
    TallyMatching,
    WriteParts,
    WritePoints,
)
from airflow_provider_influx_rollup.windows.interval import Interval
from tests.simulation.influx import SimulatedInflux, nanoseconds
from tests.simulation.lines import Line, Tags, Unsigned, Value
from tests.simulation.points import Point, points_of_query

KINDS: dict[type[Value], str] = {
    float: "float",
    int: "integer",
    Unsigned: "unsigned",
    bool: "boolean",
    str: "string",
}
TYPES = {kind: type_ for type_, kind in KINDS.items()}
PARQUET = ".parquet"
#: what there is of a file that is being written
HALF = b'["float", [[['
#: steps that read points, and then write them to files
MAKES_FILES = (WriteParts, MergeParts, EraseParts, JoinParts)
#: of which others may do something between the two
SPLIT = (WriteParts, MergeParts, JoinParts)
Points = tuple[Point, ...]


class SimulatedStore:
    """The store.

    :param files: by path
    :param emptied: folders that files were removed from: a file system keeps them
    :param tables: of a lakehouse, by their folders
    """

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.emptied: set[str] = set()
        self.tables: dict[str, Any] = {}

    def copy(self) -> SimulatedStore:
        other = SimulatedStore(self.files)
        other.emptied = set(self.emptied)
        other.tables = {uri: table.copy() for uri, table in self.tables.items()}
        return other

    def act(self, influx: SimulatedInflux, step: Any) -> Any:
        """Act out a step that keeps files.

        :raises InfluxRollupError: as the real actions do
        """
        return STORE_ACTIONS[type(step)](self, influx, step)

    def prepared(self, influx: SimulatedInflux, step: Any) -> tuple[dict[str, bytes], Any]:
        """The files that a step is going to write, of what it reads now, and its answer.

        :raises InfluxRollupError: as the real actions do
        """
        other = self.copy()
        answer = other.act(influx, step)
        return {path: data for path, data in other.files.items() if self.files.get(path) != data}, answer

    def half(self, step: Any) -> None:
        """What a worker leaves that dies while it writes files."""
        if isinstance(step, MAKES_FILES):
            self.files[f"{step.folder}/float-{step.name}{PARQUET}"] = HALF

    def points(self, path: str) -> Points:
        """The points of a file.

        :raises ArchiveMissing: when there is none
        :raises ArchiveMismatch: when it is none of points
        """
        if path not in self.files:
            what = f"{path} is not there"
            raise ArchiveMissing(what, written="nothing")
        try:
            return decoded(self.files[path])
        except ValueError as error:
            what = f"{path} cannot be read"
            raise ArchiveMismatch(what, written="nothing") from error

    def add_parts(self, folder: str, name: str, points: Iterable[Point]) -> list[Part]:
        """Write points, a file for each kind of values."""
        kinds: dict[str, list[Point]] = {}
        for point in points:
            kinds.setdefault(KINDS[type(point[3])], []).append(point)
        parts = []
        for kind, some in sorted(kinds.items()):
            data = json.dumps([kind, some]).encode()
            self.files[f"{folder}/{kind}-{name}{PARQUET}"] = data
            parts.append(part_of(f"{kind}-{name}{PARQUET}", kind, data, some))
        return parts

    def layered(self, layers: Sequence[Sequence[str]], interval: Interval | None) -> list[Point]:
        """The points of files; those of a layer give way to those of an earlier one."""
        found: list[Point] = []
        taken: set[Any] = set()
        for paths in layers:
            some = inside([point for path in paths for point in self.points(path)], interval)
            found += [point for point in some if point[:3] not in taken]
            taken.update(point[:3] for point in some)
        return found


@lru_cache(maxsize=1024)
def decoded(data: bytes) -> Points:
    """The points of a file's bytes.

    :raises ValueError: when they are a part of a file
    """
    kind, rows = json.loads(data)
    type_ = TYPES[kind]
    return tuple(
        (tuple((key, value) for key, value in tags), name, time, type_(value))
        for tags, name, time, value in rows
    )


def inside(points: Iterable[Point], interval: Interval | None) -> list[Point]:
    """The points of an interval; None: all."""
    if interval is None:
        return list(points)
    start, stop = nanoseconds(interval.start), nanoseconds(interval.stop)
    return [point for point in points if start <= point[2] < stop]


def part_of(name: str, kind: str, data: bytes, points: Sequence[Point]) -> Part:
    times = [point[2] for point in points]
    return Part(
        name=name,
        kind=kind,
        rows=len(points),
        bytes=len(data),
        sha256=sha256(data).hexdigest(),
        first_ns=min(times),
        last_ns=max(times),
    )


# fingerprints


@lru_cache(maxsize=65536)
def _hash(what: Any) -> int:
    return int.from_bytes(blake2b(repr(what).encode(), digest_size=8).digest(), "little")


def fingerprint_of(points: Iterable[Point]) -> Fingerprint:
    """What stands for some points, whatever their order."""
    fields: dict[tuple[str, str], list[int]] = {}
    series: dict[int, list[int]] = {}
    for point in points:
        kind = KINDS[type(point[3])]
        row = _hash((point, kind))
        for sums in (
            fields.setdefault((point[1], kind), [0, 0]),
            series.setdefault(_hash(point[0]), [0, 0]),
        ):
            sums[0] += 1
            sums[1] = (sums[1] + row) % 2**64
    return Fingerprint(
        fields={key: Total(rows, f"{total:016x}") for key, (rows, total) in fields.items()},
        series={key: Total(rows, f"{total:016x}") for key, (rows, total) in series.items()},
        series_count=len(series),
    )


def has_tags(tags: Tags, wanted: Iterable[tuple[str, str]]) -> bool:
    """Whether a series has all of some tags."""
    return set(wanted) <= set(tags)


# steps


def _write_parts(store: SimulatedStore, influx: SimulatedInflux, step: WriteParts) -> list[Part]:
    points = [point for query in step.points for point in points_of_query(influx, query)]
    return store.add_parts(step.folder, step.name, points)


def _fingerprint_source(
    _store: SimulatedStore, influx: SimulatedInflux, step: FingerprintSource
) -> Fingerprint:
    return fingerprint_of(point for query in step.points for point in points_of_query(influx, query))


def _fingerprint_part(
    store: SimulatedStore, _influx: SimulatedInflux, step: FingerprintPart
) -> tuple[Part, Fingerprint]:
    if step.path in store.files and sha256(store.files[step.path]).hexdigest() != step.sha256:
        what = f"{step.path} is not the file that was written"
        raise ArchiveMismatch(what, written="nothing")
    points = store.points(step.path)
    kind = KINDS[type(points[0][3])]
    name = step.path.rpartition("/")[2]
    return part_of(name, kind, store.files[step.path], points), fingerprint_of(points)


def _merge(
    store: SimulatedStore, _influx: SimulatedInflux, step: MergeParts
) -> tuple[list[Part], Fingerprint]:
    newer = [point for path in step.newer for point in store.points(path)]
    keys = {point[:3] for point in newer}
    older = inside([point for path in step.older for point in store.points(path)], step.interval)
    kept = [point for point in older if point[:3] not in keys]
    replaced = [point for point in older if point[:3] in keys]
    return store.add_parts(step.folder, step.name, [*kept, *newer]), fingerprint_of(replaced)


def _tally(store: SimulatedStore, _influx: SimulatedInflux, step: TallyMatching) -> Tallied | None:
    try:
        points = inside(store.points(step.path), step.interval)
    except (ArchiveMismatch, ArchiveMissing):
        return None
    return Tallied(fingerprint_of(point for point in points if has_tags(point[0], step.tags)))


def _erase(
    store: SimulatedStore, _influx: SimulatedInflux, step: EraseParts
) -> tuple[list[Part], Fingerprint]:
    points = [point for path in step.paths for point in store.points(path)]
    erased = [point for point in inside(points, step.interval) if has_tags(point[0], step.tags)]
    gone = set(erased)
    kept = [point for point in points if point not in gone]
    return store.add_parts(step.folder, step.name, kept), fingerprint_of(erased)


def _join(store: SimulatedStore, _influx: SimulatedInflux, step: JoinParts) -> Joined:
    found = []
    every: list[Point] = []
    for source in step.sources:
        for path, digest in source.files:
            _fingerprint_part(store, _influx, FingerprintPart(path, digest))
        points = inside([p for path, _ in source.files for p in store.points(path)], source.interval)
        found.append(replace(fingerprint_of(points), series={}))
        every += points
    parts = store.add_parts(step.folder, step.name, every)
    return Joined(tuple(parts), tuple(found), len({point[0] for point in every}))


def _fingerprint_points(
    store: SimulatedStore, _influx: SimulatedInflux, step: FingerprintPoints
) -> Fingerprint:
    return fingerprint_of(store.layered((step.paths,), step.interval))


def _doubled(store: SimulatedStore, _influx: SimulatedInflux, step: FindDoubled) -> Doubled:
    points = store.layered(step.layers, step.interval)
    assert len({point[:3] for point in points}) == len(points), "no two points of the simulator are one"
    return Doubled()


def _write_points(store: SimulatedStore, influx: SimulatedInflux, step: WritePoints) -> Fingerprint:
    points = store.layered(step.layers, step.interval)
    influx.write(step.bucket, [Line(step.measurement, tags, ((n, v),), t) for tags, n, t, v in points])
    return fingerprint_of(points)


def _compare(store: SimulatedStore, influx: SimulatedInflux, step: CompareParts) -> Comparison:
    archived = store.layered(step.layers, step.interval)
    values = {point[:3]: point[3] for point in archived}
    equal, changed, unknown = 0, [], []
    for point in (point for query in step.points for point in points_of_query(influx, query)):
        if point[:3] not in values:
            unknown.append(point)
        elif values[point[:3]] == point[3]:
            equal += 1
        else:
            changed.append(point)
    total = fingerprint_of(archived)
    return Comparison(
        equal=equal,
        missing=len(archived) - equal,
        changed=len(changed),
        unknown=len(unknown),
        archived=total.total,
        series=total.series_count,
        kept=fingerprint_of(unknown),
        examples=tuple(map(str, (*changed, *unknown)))[:3],
    )


def _put_new(store: SimulatedStore, _influx: SimulatedInflux, step: PutNew) -> bool:
    if step.path in store.files:
        return False
    store.files[step.path] = step.data
    return True


def _put_over(store: SimulatedStore, _influx: SimulatedInflux, step: PutOver) -> None:
    store.files[step.path] = step.data


def _list(store: SimulatedStore, _influx: SimulatedInflux, step: ListFolder) -> list[str]:
    begin = f"{step.path}/"
    size = len(begin)
    there = (path for path in (*store.files, *store.emptied) if path.startswith(begin))
    return sorted({path[size:].partition("/")[0] for path in there})


def _remove(store: SimulatedStore, _influx: SimulatedInflux, step: RemoveFiles) -> None:
    for path in step.paths:
        if store.files.pop(path, None) is not None:
            store.emptied.add(path.rpartition("/")[0])


STORE_ACTIONS: dict[type[Any], Callable[[SimulatedStore, SimulatedInflux, Any], Any]] = {
    WriteParts: _write_parts,
    FingerprintSource: _fingerprint_source,
    FingerprintPart: _fingerprint_part,
    MergeParts: _merge,
    TallyMatching: _tally,
    EraseParts: _erase,
    JoinParts: _join,
    FingerprintPoints: _fingerprint_points,
    FindDoubled: _doubled,
    WritePoints: _write_points,
    CompareParts: _compare,
    ReadBytes: lambda store, _influx, step: store.files.get(step.path),
    PutNew: _put_new,
    PutOver: _put_over,
    ListFolder: _list,
    RemoveFiles: _remove,
}
