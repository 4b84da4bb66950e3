"""The plugin by which Airflow 3.3 knows the mappers; earlier versions have none."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

try:
    from airflow_provider_influx_rollup.partitions.mappers import GridMapper, GridWindow
except ImportError:
    MAPPERS: list[Any] = []
    WINDOWS: list[Any] = []
else:
    MAPPERS, WINDOWS = [GridMapper], [GridWindow]


class PartitionsPlugin(AirflowPlugin):
    """Mappers and windows over the grids of rollups."""

    name = "influx_rollup_partitions"
    partition_mappers = MAPPERS
    windows = WINDOWS
