"""What the stages beside the rollups send for one run: their Flux, and the requests that make and delete something."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow_provider_influx_rollup.cli.lifecycle_stages import (
    ARCHIVE,
    BUCKETS,
    DEADMAN,
    PURGE,
    RECONCILE,
    ROLLUP,
    VALIDATE,
    deadman_spec,
    declared_stages,
    validate_spec,
)
from airflow_provider_influx_rollup.client.bucket_admin import settings_body
from airflow_provider_influx_rollup.client.requests import delete_request
from airflow_provider_influx_rollup.flux.archive import PointsOf, SliceCounts
from airflow_provider_influx_rollup.flux.deadman import LastStatuses
from airflow_provider_influx_rollup.flux.delete_predicate import delete_predicate
from airflow_provider_influx_rollup.flux.inventory import LastSeen
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.flux.source_read import RawPoints
from airflow_provider_influx_rollup.flux.validate import FieldExtremes
from airflow_provider_influx_rollup.lifecycle.buckets.buckets import apply_of
from airflow_provider_influx_rollup.lifecycle.deadman.spec import spans_of
from airflow_provider_influx_rollup.lifecycle.plan.explain import ASSUMED_TYPE, last_window
from airflow_provider_influx_rollup.lifecycle.reconcile.digest import can_digest, digest_queries
from airflow_provider_influx_rollup.lifecycle.rollup.verify import own_values
from airflow_provider_influx_rollup.lifecycle.source.inventory import expected_from, grouping_of
from airflow_provider_influx_rollup.lifecycle.validate.looks import look_queries, looks_of, only_ranges
from airflow_provider_influx_rollup.validation.sightings import Scope
from airflow_provider_influx_rollup.windows.duration import Duration
from airflow_provider_influx_rollup.windows.grid import Grid
from airflow_provider_influx_rollup.windows.interval import Interval
from airflow_provider_influx_rollup.windows.local_time import shift

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
    from airflow_provider_influx_rollup.lifecycle.plan.explain import ExplainedRollup
    from airflow_provider_influx_rollup.lifecycle.validate.spec import ValidateSpec


@dataclass(frozen=True, slots=True)
class Sent:
    """Something that a stage sends.

    :param why: in words
    :param text: Flux, or a request with its body
    """

    stage: str
    why: str
    text: str

    def as_json(self) -> dict[str, str]:
        """Plain values."""
        return {"stage": self.stage, "why": self.why, "text": self.text}


def sent_by_stages(
    lifecycle: Lifecycle,
    rollups: Sequence[ExplainedRollup],
    now: datetime,
    types: Mapping[str, str] | None = None,
) -> list[Sent]:
    """What one measurement's stages send, in their order, for a run of the first tier's last window.

    :param rollups: its tiers, from the finest to the coarsest
    :param now: aware UTC
    :param types: type of each field of the raw points; None when no server was asked
    """
    whole = _OfRun(lifecycle, rollups, now, types)
    senders = {
        BUCKETS: whole.buckets,
        VALIDATE: whole.validate,
        DEADMAN: whole.deadman,
        RECONCILE: whole.reconcile,
        ARCHIVE: whole.archive,
        PURGE: whole.purge,
    }
    stages = [stage for stage in declared_stages(lifecycle) if stage != ROLLUP]
    return [Sent(stage, why, text) for stage in stages for why, text in senders[stage]()]


Texts = Iterator[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _OfRun:
    lifecycle: Lifecycle
    rollups: Sequence[ExplainedRollup]
    now: datetime
    types: Mapping[str, str] | None

    @property
    def interval(self) -> Interval:
        return self.rollups[0].window

    def buckets(self) -> Texts:
        for one in self.lifecycle.buckets:
            body = {"name": one.name, **settings_body(apply_of(one, None))}
            why = f"makes {one.name!r} where it is missing; one that differs is changed by PATCH"
            yield why, f"POST /api/v2/buckets\n{json.dumps(body)}"

    def validate(self) -> Texts:
        spec = validate_spec(self.lifecycle)
        for query in look_queries(spec, looks_of(spec, Scope(self.interval, self.now)), 0):
            yield f"counts of the points in {self.interval}", query.flux()
        types = self.types
        if types is None:
            types = {rule.field: ASSUMED_TYPE for rule in spec.point_rules}
        read, ranges = _fields_read(spec, types)
        if ranges:
            extremes = FieldExtremes(spec.source, {self.interval: ranges})
            yield "fields that have a range only; one that keeps it is not read", extremes.flux()
        if read:
            points = RawPoints(spec.source, self.interval, read)
            yield "points that are judged one by one", points.flux()

    def deadman(self) -> Texts:
        spec = deadman_spec(self.lifecycle)
        spans = spans_of(spec, self.interval)
        listed = spec.inventory.listed
        keys = grouping_of(spec.group_by, None if listed is None else expected_from(listed))
        yield f"series that reported in {spans.recent}", LastSeen(spec.source, spans.recent, keys).flux()
        yield f"series that did before, in {spans.earlier}", LastSeen(spec.source, spans.earlier, keys).flux()
        known = Interval(spans.earlier.start, self.interval.stop)
        statuses = LastStatuses(spec.status_bucket, spec.check.id, known)
        yield "statuses so far; those that follow are written beside them", statuses.flux()

    def reconcile(self) -> Texts:
        for one in self.rollups:
            job, name = one.job, one.spec.pipeline_name
            yield f"rows of {name}, compared with what its rollup's Flux gives now", own_values(job).flux()
            if can_digest(job):
                column = job.columns[0]
                recomputed, stored = digest_queries(job, job.windows, column)
                why = f"of many windows first as a whole, each column such as {column.name} of {name}"
                yield f"{why}: as its source gives it now", recomputed.flux()
                yield f"{why}: as it is stored", stored.flux()

    def archive(self) -> Texts:
        every = self.lifecycle.archive.every if self.lifecycle.archive else None
        yield from self._read_whole(last_window(Grid.of(every), self.now) if every else self.interval)

    def purge(self) -> Texts:
        window = self._purged_window()
        yield from self._read_whole(window)
        bucket, predicate = self.lifecycle.source_bucket, delete_predicate(str(self.lifecycle.measurement))
        body = (delete_request("", bucket, window, predicate).body or b"").decode()
        why = "deletes what the archive and every tier were proven to hold; the last nanosecond is included"
        yield why, f"POST /api/v2/delete?bucket={quote(bucket)}\n{body}"

    def _purged_window(self) -> Interval:
        archive = self.lifecycle.archive
        after = Duration.of(
            archive.purge_after if archive and archive.purge_after else self.interval.duration
        )
        if archive and archive.every:
            return last_window(Grid.of(archive.every), shift(self.now, after, "UTC", backwards=True))
        return Interval(
            shift(self.interval.start, after, "UTC", backwards=True),
            shift(self.interval.stop, after, "UTC", backwards=True),
        )

    def _read_whole(self, window: Interval) -> Texts:
        bucket, measurement = self.lifecycle.source_bucket, str(self.lifecycle.measurement)
        counts = SliceCounts(RollupSource(bucket, measurement, {}), [window])
        yield f"counts of the points in {window}, which decide into how many reads it is cut", counts.flux()
        points = PointsOf(bucket=bucket, measurement=measurement, interval=window, by_field=True)
        yield "all points, compared with the files", points.flux()


def _fields_read(spec: ValidateSpec, types: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The fields whose points are read, and those of which ranges are looked at before."""
    wanted = [
        name for name, kind in types.items() if any(rule.wants(name, kind) for rule in spec.point_rules)
    ]
    copied = spec.clean_bucket is not None
    ranges = [name for name in wanted if not copied and only_ranges(spec, name, types[name])]
    read = sorted(types if copied else set(wanted) - set(ranges))
    return read, sorted(ranges)
