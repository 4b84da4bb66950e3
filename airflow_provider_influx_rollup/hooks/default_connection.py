"""The connection of stages that name none."""

from __future__ import annotations

DEFAULT_CONN_ID = "influx_rollup_default"
