"""Count the times that erasures cleared a bucket, as files beside the archive."""

from __future__ import annotations

from airflow_provider_influx_rollup.archive.erasure import erasures_folder, fence_name, fence_number
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.steps.store import ListFolder, PutNew


def read_fences(measurement_folder: str) -> Steps[int]:
    """Number of times that erasures cleared a bucket: an archive that spans two counts must not be published."""
    names = yield from ask(ListFolder(erasures_folder(measurement_folder)))
    return max(map(fence_number, names), default=0)


def put_fence(measurement_folder: str) -> Steps[None]:
    """Say that points were erased from the bucket: who read it before must not publish what was read."""
    number = yield from read_fences(measurement_folder)
    while True:
        number += 1
        if (yield from ask(PutNew(f"{erasures_folder(measurement_folder)}/{fence_name(number)}", b""))):
            return
