"""An InfluxDB in memory: buckets, points, upserts, deletes, retention, one type for each field of a shard group."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from airflow_provider_influx_rollup.exceptions import BucketNotFound, WriteRejected
from airflow_provider_influx_rollup.flux.write_points import FluxPoint
from airflow_provider_influx_rollup.steps.influx import (
    Bucket,
    CheckWritable,
    Delete,
    EnsureBucket,
    FindBucket,
    FindBucketById,
    Write,
)
from tests.simulation.lines import Line, Tags, Unsigned, Value, parse_lines

SECOND = 10**9
DAY_NS = 86_400 * SECOND
WEEK_SECONDS = 7 * 86_400
Series = dict[tuple[Tags, str], dict[int, Value]]
Ordered = list[tuple[tuple[Tags, str], dict[int, Value]]]
Pivoted = list[tuple[Tags, int, dict[str, Value]]]


@dataclass(slots=True)
class SimulatedBucket:
    """A bucket.

    :param measurements: values by time, by tag set and field, by measurement
    :param kinds: the type of a field, by measurement, field and number of the shard group
    """

    name: str
    id: str
    retention_seconds: int = 0
    measurements: dict[str, Series] = field(default_factory=dict)
    kinds: dict[tuple[str, str, int], type[Value]] = field(default_factory=dict)
    #: what is made of a measurement until it changes
    _ordered: dict[str, Ordered] = field(default_factory=dict)
    _pivoted: dict[str, Pivoted] = field(default_factory=dict)
    #: by measurement: what stands for its series, beside these (see ``state_keys.py``)
    keys: dict[str, tuple[Ordered, bytes]] = field(default_factory=dict)

    @property
    def shard_group_seconds(self) -> int:
        """As InfluxDB chooses it."""
        if not 0 < self.retention_seconds < 180 * 86_400:
            return WEEK_SECONDS
        return 86_400 if self.retention_seconds >= 2 * 86_400 else 3_600

    def shard_of(self, time_ns: int) -> int:
        return time_ns // (self.shard_group_seconds * SECOND)

    def ordered(self, measurement: str) -> Ordered:
        """The series of a measurement, in order."""
        if measurement not in self._ordered:
            self._ordered[measurement] = sorted(self.measurements.get(measurement, {}).items())
        return self._ordered[measurement]

    def pivoted(self, measurement: str) -> Pivoted:
        """Tags, time and fields of each record of a measurement, in order."""
        if measurement not in self._pivoted:
            found: dict[tuple[Tags, int], dict[str, Value]] = {}
            for (tags, name), values in self.measurements.get(measurement, {}).items():
                for time, value in values.items():
                    found.setdefault((tags, time), {})[name] = value
            self._pivoted[measurement] = [(*key, found[key]) for key in sorted(found)]
        return self._pivoted[measurement]

    def changes(self, measurement: str) -> None:
        """Forget what was made of a measurement."""
        self._ordered.pop(measurement, None)
        self._pivoted.pop(measurement, None)

    def copy(self) -> SimulatedBucket:
        measurements = {
            name: {key: dict(values) for key, values in series.items()}
            for name, series in self.measurements.items()
        }
        return SimulatedBucket(self.name, self.id, self.retention_seconds, measurements, dict(self.kinds))


class SimulatedInflux:
    """A server.

    :param now: its clock
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.buckets: dict[str, SimulatedBucket] = {}

    def copy(self, now: Callable[[], datetime]) -> SimulatedInflux:
        """Another server with the same points."""
        other = SimulatedInflux(now)
        other.buckets = {name: bucket.copy() for name, bucket in self.buckets.items()}
        return other

    # what a driver asks for

    def act(self, step: Any) -> Any:
        """Act out a step that is no query.

        :raises InfluxRollupError: as the client does
        """
        action = ACTIONS.get(type(step))
        if action is None:
            from tests.simulation.answers import answer

            return answer(self, step)
        return action(self, step)

    def bucket(self, name: str) -> SimulatedBucket:
        """:raises BucketNotFound: when there is none"""
        if name not in self.buckets:
            what = f"bucket {name!r} was not found"
            raise BucketNotFound(what, http_status=404)
        return self.buckets[name]

    def ensure(self, name: str, retention_seconds: int = 0) -> SimulatedBucket:
        if name not in self.buckets:
            self.buckets[name] = SimulatedBucket(name, f"{len(self.buckets) + 1:016x}", retention_seconds)
        return self.buckets[name]

    def write(self, bucket: str, lines: Iterable[Line]) -> None:
        """Store what fits; what does not is left out, and said at the end.

        :raises WriteRejected: when a field has another type in the shard group, or a point is older than the retention
        """
        place = self.bucket(bucket)
        oldest = self._oldest(place)
        dropped = []
        for line in lines:
            if oldest is not None and line.time_ns < oldest:
                dropped.append("points beyond retention policy")
                continue
            shard = place.shard_of(line.time_ns)
            if why := _conflict(place, line, shard):
                dropped.append(why)
                continue
            series = place.measurements.setdefault(line.measurement, {})
            place.changes(line.measurement)
            for name, value in line.fields:
                place.kinds[line.measurement, name, shard] = type(value)
                series.setdefault((line.tags, name), {})[line.time_ns] = value
        if dropped:
            what = f"write failed: partial write: {dropped[0]} dropped={len(dropped)}"
            raise WriteRejected(what, http_status=422)

    def delete(
        self,
        bucket: str,
        measurement: str,
        start_ns: int,
        stop_ns: int,
        tags: Mapping[str, str],
        lacking: Collection[str] = (),
    ) -> None:
        """Delete points; series that have more tags match too, but those that have a key which they must lack."""
        place = self.bucket(bucket)
        series = place.measurements.get(measurement, {})
        place.changes(measurement)
        wanted = set(tags.items())
        for key, values in list(series.items()):
            if (wanted and not wanted.issubset(key[0])) or set(lacking) & dict(key[0]).keys():
                continue
            for time in [time for time in values if start_ns <= time < stop_ns]:
                del values[time]
            if not values:
                del series[key]
        if measurement in place.measurements and not series:
            del place.measurements[measurement]

    def drop_old_shards(self) -> None:
        """What InfluxDB does from time to time: shard groups go whose last instant is too old."""
        for place in self.buckets.values():
            oldest = self._oldest(place)
            if oldest is None:
                continue
            first = place.shard_of(oldest)
            for name, series in list(place.measurements.items()):
                place.changes(name)
                for key, values in list(series.items()):
                    series[key] = {t: value for t, value in values.items() if place.shard_of(t) >= first}
                    if not series[key]:
                        del series[key]
                if not series:
                    del place.measurements[name]
            place.kinds = {key: kind for key, kind in place.kinds.items() if key[2] >= first}

    def _oldest(self, place: SimulatedBucket) -> int | None:
        if not place.retention_seconds:
            return None
        return nanoseconds(self.now()) - place.retention_seconds * SECOND


@lru_cache(maxsize=4096)
def nanoseconds(instant: datetime) -> int:
    """Since the epoch; exact."""
    since = instant.replace(tzinfo=None) - datetime(1970, 1, 1)  # noqa: DTZ001 - both are UTC
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def _conflict(place: SimulatedBucket, line: Line, shard: int) -> str:
    for name, value in line.fields:
        kind = place.kinds.get((line.measurement, name, shard))
        if kind is not None and kind is not type(value):
            return f'field type conflict: input field "{name}" on measurement "{line.measurement}"'
    return ""


def _write(influx: SimulatedInflux, step: Write) -> None:
    influx.write(step.bucket, parse_lines(step.lines))
    if step.points:
        influx.write(step.bucket, map(_line_of, step.points))


def _line_of(point: FluxPoint) -> Line:
    value = Unsigned(point.value) if point.kind == "unsigned" else point.value
    return Line(point.measurement, tuple(sorted(point.tags)), ((point.field, value),), point.time_ns)


def _delete(influx: SimulatedInflux, step: Delete) -> None:
    start, stop = nanoseconds(step.interval.start), nanoseconds(step.interval.stop)
    influx.delete(step.bucket, step.measurement, start, stop, step.tags, step.lacking)


def _found(place: SimulatedBucket) -> Bucket:
    return Bucket(
        name=place.name,
        retention_seconds=place.retention_seconds,
        shard_group_seconds=place.shard_group_seconds,
        id=place.id,
        org_id="0000000000000001",
    )


def _find(influx: SimulatedInflux, step: FindBucket) -> Bucket | None:
    return _found(influx.buckets[step.name]) if step.name in influx.buckets else None


def _find_by_id(influx: SimulatedInflux, step: FindBucketById) -> Bucket | None:
    return next((_found(one) for one in influx.buckets.values() if one.id == step.id), None)


def _check(influx: SimulatedInflux, step: CheckWritable) -> None:
    influx.bucket(step.bucket)


ACTIONS: dict[type[Any], Callable[[SimulatedInflux, Any], Any]] = {
    Write: _write,
    Delete: _delete,
    FindBucket: _find,
    FindBucketById: _find_by_id,
    EnsureBucket: lambda influx, step: _found(influx.ensure(step.name, step.retention_seconds)),
    CheckWritable: _check,
}
