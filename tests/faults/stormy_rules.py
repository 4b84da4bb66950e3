"""What the backfill that is killed computes, for its DAG and its test."""

from __future__ import annotations

MEASUREMENT, PIPELINE = "sensor_readings", "hours in the triggerer"
# of temperatures; some are higher
HIGH = 26.0
LOWER = ["count", "sum", "min", "max", "last"]
UPPER = ["count", "mean", "min", "max"]
DEFERRED = {"temperature": ["count", "sum", "max", "p99"], "humidity": ["mean", "last"]}
