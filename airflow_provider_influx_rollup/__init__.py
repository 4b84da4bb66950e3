"""Telemetry lifecycles on InfluxDB 2, one Airflow data interval at a time."""

from __future__ import annotations

__version__ = "0.2.0"
