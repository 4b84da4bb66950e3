"""Advice after windows failed: run them again, or first change what a rerun would meet again."""

from __future__ import annotations

from airflow_provider_influx_rollup.exceptions import InfluxRollupError
from airflow_provider_influx_rollup.rejections import is_type_conflict

AGAIN = "run the windows again: a rerun makes them right"
AGAIN_BY_SCRIPT = "run the window again"
CHANGED = "change what the server's reason names, then run the windows again"
SCRIPT = "correct the script, and try it in the data explorer: every run of it meets the same error"
TYPES = (
    "a field of the source has changed its type, and one shard group of the target cannot hold both: give the target bucket the "
    "source's shard group duration, or leave out aggregates that keep the type of the field (sum, min, max, first, last, spread, "
    "increase), as count, mean and quantiles do not; then run the windows again"
)
SCRIPT_TYPES = (
    "a shard group of the target holds this field with another type: write it with one type in all windows, such as by toFloat(), "
    "or into another bucket or field"
)


def rerun_advice(error: InfluxRollupError) -> str:
    """Advice that makes the windows of a rollup right.

    :param error: that has no advice of its own
    """
    if not error.permanent:
        return AGAIN
    return TYPES if is_type_conflict(error) else CHANGED


def script_advice(error: InfluxRollupError) -> str:
    """Advice that makes the windows of a user's own script right.

    :param error: that has no advice of its own
    """
    if not error.permanent:
        return AGAIN_BY_SCRIPT
    return SCRIPT_TYPES if is_type_conflict(error) else SCRIPT
