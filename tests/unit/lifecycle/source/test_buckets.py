"""Buckets that must be there."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_influx_rollup.exceptions import BucketNotFound
from airflow_provider_influx_rollup.lifecycle.source.buckets import FIX_TARGET, existing
from airflow_provider_influx_rollup.steps.influx import Bucket
from airflow_provider_influx_rollup.windows.interval import Interval

WINDOW = Interval(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 2, tzinfo=UTC))


def test_a_bucket_that_is_there_is_returned() -> None:
    bucket = Bucket(id="1", name="raw", retention_seconds=0, shard_group_seconds=0)

    assert existing(bucket, "raw", WINDOW) is bucket


@pytest.mark.parametrize(
    ("role", "what"),
    [
        ("", "there is no bucket 'raw', or the token may not read it"),
        ("source", "there is no source bucket 'raw', or the token may not read it"),
    ],
)
def test_a_missing_bucket_is_named_with_its_window(role: str, what: str) -> None:
    with pytest.raises(BucketNotFound) as caught:
        existing(None, "raw", WINDOW, role=role, fix=FIX_TARGET)

    assert caught.value.what == what
    assert (caught.value.window, caught.value.written, caught.value.fix) == (WINDOW, "nothing", FIX_TARGET)
    assert caught.value.http_status == 404
