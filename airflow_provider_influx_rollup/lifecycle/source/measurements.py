"""A measurement that its bucket does not have: quiet, not yet there, or mistyped."""

from __future__ import annotations

from difflib import get_close_matches

from airflow_provider_influx_rollup.flux.measurements import MeasurementNames
from airflow_provider_influx_rollup.shown import few
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps

MAX_NAMES = 5


def unknown_measurement(bucket: str, measurement: str) -> Steps[str | None]:
    """Say that a bucket has no such measurement, and which ones are near; None when it has it.

    :param bucket: must exist
    """
    known = yield from ask(MeasurementNames(bucket))
    if measurement in known:
        return None
    if not known:
        return (
            f"bucket {bucket!r} has no points, so that all windows of measurement {measurement!r} are empty"
        )
    near = get_close_matches(measurement, known, n=MAX_NAMES) or known
    told = few([repr(name) for name in near], MAX_NAMES, between=", ")
    return f"bucket {bucket!r} has no measurement {measurement!r}, so that all its windows are empty; it has {told}"
