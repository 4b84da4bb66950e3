"""Measurements that a bucket has, where a lifecycle declares patterns."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_influx_rollup.exceptions import ConfigurationError
from airflow_provider_influx_rollup.flux.measurements import MeasurementNames
from airflow_provider_influx_rollup.flux.names import why_not_written
from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_measurements import (
    found_measurements,
    patterns_of,
)
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Report
from airflow_provider_influx_rollup.steps.step import Steps

MAX_NAMES = 5


def find_measurements(bucket: str, names: Sequence[str]) -> Steps[list[str]]:
    """Look up what names and patterns stand for; names stay, whether the bucket has them or not.

    :param names: of a lifecycle
    :raises BucketNotFound: when there is no such bucket
    """
    known = yield from ask(MeasurementNames(bucket))
    found = [str(name) for name in found_measurements(names, known)]
    refused = {name: why for name in found if name in known and (why := why_not_written(name))}
    for name, why in refused.items():
        told = f"measurement {name!a} of bucket {bucket!r} is left out: {why}"
        yield from ask(Report(told, level="warning"))
    if not found:
        yield from ask(Report(_nothing(bucket, names, known), level="warning"))
    return [name for name in found if name not in refused]


def lifecycles_of(lifecycle: Lifecycle) -> Steps[list[Lifecycle]]:
    """One lifecycle for each measurement; what patterns stand for is looked up in the bucket where points arrive.

    :raises ConfigurationError: when the bucket has no measurement that they stand for
    :raises BucketNotFound: when there is no such bucket
    """
    if not lifecycle.patterns:
        return lifecycle.each()
    found = yield from find_measurements(lifecycle.arrival_bucket, lifecycle.names)
    if not found:
        what = f"there is nothing to do: no measurement of bucket {lifecycle.arrival_bucket!r} is meant"
        raise ConfigurationError(what, written="nothing", fix="correct measurement, or wait until it reports")
    return lifecycle.each(found)


def _nothing(bucket: str, names: Sequence[str], known: Sequence[str]) -> str:
    patterns = ", ".join(map(repr, patterns_of(names)))
    told = few([repr(name) for name in known], MAX_NAMES, between=", ") or "no points"
    return f"bucket {bucket!r} has no measurement that {patterns} stands for; it has {told}"
