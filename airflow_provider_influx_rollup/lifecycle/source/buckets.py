"""Buckets that must be there."""

from __future__ import annotations

from airflow_provider_influx_rollup.exceptions import BucketNotFound
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Bucket, FindBucket
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

FIX = "create the bucket, correct its name, or give the token permission to read it"
FIX_TARGET = "create the bucket, correct its name, or give the token permission to read and write it"


def require_bucket(name: str, window: Interval | None, *, role: str = "", fix: str = FIX) -> Steps[Bucket]:
    """Find a bucket.

    :param window: for the message
    :param role: such as ``"source"``
    :param fix: what to do when it is missing
    :raises BucketNotFound: when there is none, or the token may not read it
    """
    return existing((yield from ask(FindBucket(name))), name, window, role=role, fix=fix)


def existing(
    bucket: Bucket | None, name: str, window: Interval | None, *, role: str = "", fix: str = FIX
) -> Bucket:
    """A bucket that was looked up.

    :param window: for the message
    :param role: such as ``"source"``
    :param fix: what to do when it is missing
    :raises BucketNotFound: when it was not found
    """
    if bucket is None:
        named = f"{role} bucket {name!r}".lstrip()
        what = f"there is no {named}, or the token may not read it"
        raise BucketNotFound(what, http_status=404, window=window, written="nothing", fix=fix)
    return bucket
