"""Make buckets what is declared of them: the differences first, and then all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.lifecycle.buckets.lengths import length_text
from airflow_provider_influx_rollup.lifecycle.buckets.lost_points import require_nothing_lost
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_bucket import Bucket
from airflow_provider_influx_rollup.lifecycle.run.clock import Clock
from airflow_provider_influx_rollup.lifecycle.run.options import texts_of
from airflow_provider_influx_rollup.steps.ask import ask, gather
from airflow_provider_influx_rollup.steps.influx import ApplyBucket, BucketSettings, LookAtBucket, Report
from airflow_provider_influx_rollup.steps.step import Steps

HOUR_SECONDS, DAY_SECONDS = 3_600, 86_400


@dataclass(frozen=True, slots=True)
class BucketChange:
    """One difference between what a bucket is and what is declared of it.

    :param before: None when there is no bucket
    """

    bucket: str
    what: str
    before: str | None
    after: str

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"bucket": self.bucket, "what": self.what, "before": self.before, "after": self.after}

    def __str__(self) -> str:
        """A line of the plan."""
        if self.before is None:
            return f"bucket {self.bucket!r} is made, {self.what} {self.after}"
        return f"bucket {self.bucket!r}: {self.what} is {self.before}, becomes {self.after}"


@dataclass(frozen=True, slots=True)
class BucketsResult:
    """Differences that there were, and whether they are gone."""

    changes: tuple[BucketChange, ...]
    unchanged: tuple[str, ...]
    dry_run: bool

    def as_json(self) -> dict[str, Any]:
        """Small JSON for XCom."""
        return {
            "changes": [change.as_json() for change in self.changes],
            "unchanged": list(self.unchanged),
            "state": "planned" if self.dry_run and self.changes else "ensured",
        }


def ensure_buckets(
    buckets: Sequence[Bucket], ledger_bucket: str, now: Clock, *, dry_run: bool = False
) -> Steps[BucketsResult]:
    """Make buckets that are missing, and change those that are another one; a second time nothing is done.

    :param ledger_bucket: which windows are rolled up or archived
    :param now: the clock, aware UTC
    :param dry_run: say what would be done, and do nothing
    :raises ConfigurationError: when a retention would take points that are neither rolled up nor archived, or a bucket is
        declared twice; no bucket was changed
    """
    _require_distinct(buckets)
    found = yield from gather(*(LookAtBucket(one.name) for one in buckets))
    pairs = list(zip(buckets, found, strict=True))
    changes = [change for one, is_now in pairs for change in differences(one, is_now)]
    for one, is_now in pairs:
        if is_now is not None and _shrinks(one, is_now):
            yield from require_nothing_lost(one, is_now, ledger_bucket, now())
    for change in changes:
        yield from ask(Report(f"{'Dry run: ' if dry_run else ''}{change}"))
    changed = {change.bucket for change in changes}
    if not dry_run:
        for one, is_now in pairs:
            if one.name in changed:
                yield from ask(apply_of(one, is_now))
    unchanged = tuple(one.name for one in buckets if one.name not in changed)
    return BucketsResult(tuple(changes), unchanged, dry_run)


def differences(wanted: Bucket, found: BucketSettings | None) -> list[BucketChange]:
    """The changes to make.

    :param found: None when there is no bucket
    """
    name = wanted.name
    if found is None:
        return [BucketChange(name, "retention", None, length_text(wanted.retention_seconds))]
    changes = []
    if wanted.retention_seconds != found.retention_seconds:
        before, after = length_text(found.retention_seconds), length_text(wanted.retention_seconds)
        changes.append(BucketChange(name, "retention", before, after))
    shard_group = _shard_group(wanted, found)
    if shard_group is not None and shard_group != found.shard_group_seconds:
        before, after = length_text(found.shard_group_seconds), length_text(shard_group)
        changes.append(BucketChange(name, "shard group", before, after))
    if wanted.description is not None and wanted.description != found.description:
        changes.append(BucketChange(name, "description", repr(found.description), repr(wanted.description)))
    missing = [label for label in texts_of(wanted.labels, "labels") if label not in found.labels]
    if missing:
        had = ", ".join(found.labels) or "none"
        changes.append(BucketChange(name, "labels", had, ", ".join([*found.labels, *missing])))
    return changes


def apply_of(wanted: Bucket, found: BucketSettings | None) -> ApplyBucket:
    """The step that makes a bucket what it is declared to be.

    :param found: None when there is none
    """
    return ApplyBucket(
        name=wanted.name,
        id="" if found is None else found.id,
        retention_seconds=wanted.retention_seconds,
        shard_group_seconds=_shard_group(wanted, found),
        description=wanted.description,
        labels=tuple(
            label for label in texts_of(wanted.labels, "labels") if found is None or label not in found.labels
        ),
    )


def _shard_group(wanted: Bucket, found: BucketSettings | None) -> int | None:
    """The declared length; where a retention becomes shorter than a shard group is, the one that InfluxDB gives new buckets."""
    kept = wanted.retention_seconds
    if wanted.shard_group_seconds is not None or found is None or not 0 < kept < found.shard_group_seconds:
        return wanted.shard_group_seconds
    return HOUR_SECONDS if kept < 2 * DAY_SECONDS else DAY_SECONDS


def _shrinks(wanted: Bucket, found: BucketSettings) -> bool:
    if not wanted.retention_seconds:
        return False
    return not found.retention_seconds or wanted.retention_seconds < found.retention_seconds


def _require_distinct(buckets: Sequence[Bucket]) -> None:
    names = [one.name for one in buckets]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        what = f"bucket {', '.join(map(repr, doubled))} is declared twice"
        raise ConfigurationError(what, written="nothing", fix="declare it once")
