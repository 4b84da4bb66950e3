"""Keys of ``group_by`` that no series has: such a key separates nothing."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_influx_rollup.flux.source_schema import OF_EVERY_SOURCE
from airflow_provider_influx_rollup.lifecycle.pipeline.spec import RollupSpec
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.windows.interval import Interval

MAX_NAMES = 5


def unknown_group_keys(spec: RollupSpec, listed: Sequence[str], interval: Interval) -> str | None:
    """Say which keys of ``group_by`` no series has; None when each is a key of some series.

    :param listed: the tag keys of the source in the interval, as the server lists them; there are points
    """
    missing = [key for key in spec.group_by or () if key not in listed]
    if not missing:
        return None
    asked = ", ".join(map(repr, missing))
    keys = [repr(key) for key in listed if key not in OF_EVERY_SOURCE]
    told = f"the keys {few(keys, MAX_NAMES, between=', ')}" if keys else "no tags"
    return (
        f"no series of measurement {spec.measurement!r} in bucket {spec.source_bucket!r} has the key {asked} of group_by "
        f"in {interval}, so it separates nothing; the series have {told}"
    )
