"""Whether a measurement can be read truthfully, and its points in slices."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_influx_rollup.archive.annotated_csv import NOT_TEXT_FIX
from airflow_provider_influx_rollup.archive.fingerprint import Fingerprint, merge
from airflow_provider_influx_rollup.exceptions import (
    ConfigurationError,
    QueryFailed,
    SourceUnreadable,
)
from airflow_provider_influx_rollup.flux.archive import LostTexts
from airflow_provider_influx_rollup.lifecycle.archive_files.archive_spec import ArchiveSpec
from airflow_provider_influx_rollup.lifecycle.archive_files.index import has_windows
from airflow_provider_influx_rollup.lifecycle.source.buckets import require_bucket
from airflow_provider_influx_rollup.lifecycle.source.pieces import PointsSource, ReadSize, read_slices
from airflow_provider_influx_rollup.lifecycle.source.slices import Slice, count_points, cut_slices
from airflow_provider_influx_rollup.rejections import is_not_text
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import (
    Bucket,
    ShowKeys,
    SourceKeys,
)
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import FingerprintSource
from airflow_provider_influx_rollup.windows.interval import Interval

# a query loses or breaks on points with a tag of these names
UNREADABLE_TAGS = frozenset({"_time", "_value", "_start", "_stop"})
OF_NAMES = {"names": "tags or names of fields, points", "keys": "tag keys"}
# with two cores, two reads at a time are 1.4 times as fast as one, and three are no faster
READS_AT_A_TIME = 2


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """Plan of reading a window.

    :param slices: together the window
    :param size: what reads of the window have shown of the server's limits
    """

    bucket: Bucket
    keys: SourceKeys
    slices: tuple[Slice, ...]
    size: ReadSize = field(default_factory=ReadSize, compare=False)

    @property
    def rows(self) -> int:
        """Points that were counted."""
        return sum(one.rows for one in self.slices)


def plan_read(spec: ArchiveSpec, window: Interval, bucket: Bucket | None = None) -> Steps[ReadPlan]:
    """Count the points of a window, and make sure that queries return all of them as they are.

    :param bucket: the spec's, when it was looked up already
    :raises SourceUnreadable: when they would not, with the reason
    """
    bucket = bucket or (yield from require_bucket(spec.bucket, window))
    keys = yield from ask(ShowKeys(spec.bucket, spec.measurement))
    _require_readable_names(spec, window, keys)
    slices = yield from cut_slices(bucket, spec.measurement, window, keys, spec.max_rows_per_read)
    for one in slices:
        if one.rows:
            yield from _require_whole_texts(spec, window, one.interval, keys)
    return ReadPlan(bucket, keys, tuple(slices))


def require_known(spec: ArchiveSpec, window: Interval | None, keys: SourceKeys) -> Steps[None]:
    """Refuse a measurement of which there is no point; an empty window of a known one is fine.

    :param window: for the message
    :param keys: of the measurement in the bucket
    :raises ConfigurationError: when neither the bucket nor the archive knows it
    """
    if keys.tags or keys.fields or (yield from has_windows(spec.folder)):
        return
    what = (
        f"measurement {spec.measurement!r} does not exist: bucket {spec.bucket!r} and "
        f"{spec.shown_path}/{spec.folder} have no point of it, of any time"
    )
    fix = "correct its name, or begin when it has points"
    raise ConfigurationError(what, window=window, written="nothing", fix=fix)


def as_unreadable(error: QueryFailed, window: Interval) -> QueryFailed | SourceUnreadable:
    """The error of texts that are no texts, in place of that of the query which met them."""
    if not is_not_text(error):
        return error
    return SourceUnreadable(error.what, window=window, written="no manifest", fix=NOT_TEXT_FIX)


def _require_readable_names(spec: ArchiveSpec, window: Interval, keys: SourceKeys) -> None:
    poisoned = sorted(UNREADABLE_TAGS.intersection(keys.tags))
    if poisoned:
        what = f"measurement {spec.measurement!r} has the tag key {poisoned[0]!r}, with which Flux loses values or breaks"
        fix = "write these points again under another tag key, and delete the old ones"
        raise SourceUnreadable(what, window=window, written="nothing", fix=fix)


def _require_whole_texts(
    spec: ArchiveSpec, window: Interval, part: Interval, keys: SourceKeys
) -> Steps[None]:
    texts = sorted(name for name, kinds in keys.fields.items() if kinds == ("string",))
    mixed = sorted(name for name, kinds in keys.fields.items() if "string" in kinds and len(kinds) > 1)
    found = yield from ask(
        LostTexts(
            bucket=spec.bucket,
            measurement=spec.measurement,
            interval=part,
            tags=keys.tags,
            fields=texts,
            mixed_fields=mixed,
        )
    )
    lost = [f"{OF_NAMES.get(one.where) or one.field} ({one.points})" for one in found]
    if lost:
        named = ", ".join(lost)
        what = f"texts of measurement {spec.measurement!r} hold a carriage return, which Flux's answers lose: {named}"
        fix = "write these points again without it, or with another character"
        raise SourceUnreadable(what, window=window, written="nothing", fix=fix)


def fingerprint_source(
    spec: ArchiveSpec, plan: ReadPlan, *, finds_doubled: bool = False
) -> Steps[Fingerprint]:
    """Read the present points of a window row by row; slices that were empty are only counted again.

    :param finds_doubled: also find points that share series, field and time with others
    """
    slices = plan.slices
    empty = [one.interval for one in slices if not one.rows]
    counts = yield from count_points(spec.bucket, spec.measurement, empty)
    parts = [one for one in slices if one.rows or counts[one.interval]]
    found: list[Fingerprint] = []
    for first in range(0, len(parts), READS_AT_A_TIME):
        some = parts[first : first + READS_AT_A_TIME]
        found += yield from read_slices(
            points_source(spec, plan), some, lambda _, points: FingerprintSource(points, finds_doubled)
        )
    return merge(found)


def points_source(spec: ArchiveSpec, plan: ReadPlan) -> PointsSource:
    """What is read of a window, in slices or in pieces of them."""
    return PointsSource(spec.bucket, spec.measurement, plan.keys.tags, plan.size)
