"""Whether points still come to an interval: InfluxDB keeps no time of arrival, so looks are compared.

The ledger remembers what a look found. So it does not matter who looks next: the same process, a worker that begins again
after a reschedule, or another triggerer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from airflow_provider_influx_rollup.exceptions import BucketNotFound
from airflow_provider_influx_rollup.flux.ledger_read import LastLook
from airflow_provider_influx_rollup.ledger.looks import SourceLook, encode_look, short_hash
from airflow_provider_influx_rollup.lifecycle.completeness.gaps import WindowCount
from airflow_provider_influx_rollup.lifecycle.completeness.spec import CompletenessSpec
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import EnsureBucket, Write
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval


def quiet_since(
    spec: CompletenessSpec,
    interval: Interval,
    counted: Sequence[WindowCount],
    now: datetime,
    counted_at: datetime,
) -> Steps[datetime]:
    """The first look that found the same counts as this one, with no other look between that found others.

    :param counted: what this look found
    :param now: the time when the look began
    :param counted_at: when the counts had come
    """
    watch, fingerprint = watch_of(spec), fingerprint_of(counted)
    try:
        last = yield from ask(LastLook(spec.ledger_bucket, watch, interval))
    except BucketNotFound:
        yield from ask(EnsureBucket(spec.ledger_bucket))
        last = None
    if last is not None and last.fingerprint == fingerprint and last.seen_since <= now:
        return last.seen_since
    look = SourceLook(watch, interval, fingerprint, counted_at)
    yield from ask(Write(spec.ledger_bucket, [encode_look(look)]))
    return now


def watch_of(spec: CompletenessSpec) -> str:
    """The same for all sensors that look at the same points in the same windows."""
    tags = sorted((key, *values) for key, values in (spec.tags or {}).items())
    return short_hash(
        (spec.bucket, spec.measurement, spec.fields, tags, spec.every, spec.offset, spec.timezone)
    )


def fingerprint_of(counted: Sequence[WindowCount]) -> str:
    """Another one when a series of a window has gained or lost points."""
    return short_hash((count.window, count.rows, sorted(count.points.items())) for count in counted)
