"""The assets of Airflow whose events a lifecycle's stages emit in a DAG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_influx_rollup.assets.names import archive_uri, measurement_uri
from airflow_provider_influx_rollup.cli.lifecycle_stages import ARCHIVE, RECONCILE, ROLLUP
from airflow_provider_influx_rollup.hooks.default_connection import DEFAULT_CONN_ID
from airflow_provider_influx_rollup.lifecycle.pipeline.declared_ends import PARTITIONS

if TYPE_CHECKING:
    from airflow_provider_influx_rollup.lifecycle.pipeline.declared import Lifecycle


def assets_of(lifecycle: Lifecycle, conn_id: str | None) -> list[tuple[str, str]]:
    """Each stage, and the URI of an asset that it emits; nothing when the lifecycle declares no assets.

    :param lifecycle: of one measurement
    :param conn_id: the connection of the DAG's tasks; None: the default
    """
    if lifecycle.assets is None:
        return []
    server = conn_id or DEFAULT_CONN_ID
    tiers = [
        measurement_uri(spec.target_bucket, spec.output_measurement, influx_conn_id=server)
        for spec in lifecycle.specs()
    ]
    stages = [ROLLUP, *([RECONCILE] if lifecycle.reconcile is not None else [])]
    found = [(stage, uri) for stage in stages for uri in tiers]
    if lifecycle.archive is not None:
        uri = archive_uri(lifecycle.archive.path, lifecycle.source_bucket, str(lifecycle.measurement))
        found.append((ARCHIVE, uri))
    return found


def events_of(lifecycle: Lifecycle, patterns: tuple[str, ...]) -> str:
    """Of what the assets have events, in words.

    :param patterns: the measurements of the file that stand for others, as far as these are not known
    """
    what = "for the windows that a run changes"
    if lifecycle.assets == PARTITIONS:
        what = "for each window that a run changes, with its start as the partition"
    measurement = str(lifecycle.measurement)
    of = f", and for each measurement that {measurement} stands for" if measurement in patterns else ""
    return f"assets: an event {what}{of}"
