"""What the demo is about: names, sizes, windows. Standard library only, as its DAG file reads it too."""

from __future__ import annotations

RAW, TEN_MINUTES, HOURLY = "demo_raw", "demo_10m", "demo_1h"
WEATHER, WEATHER_DAILY = "demo_weather", "demo_weather_1d"
LEDGER = "demo_ledger"
BUCKETS = (RAW, TEN_MINUTES, HOURLY, WEATHER, WEATHER_DAILY, LEDGER)

FLEET_DAG, WEATHER_DAG = "demo_fleet", "demo_weather"
HOURS_PER_RUN = 6
DEVICES, HOURS = 30, 48

# what merges, so that coarser tiers can be made from it
PARTS = ["count", "sum", "min", "max", "first", "last"]
TEN_MINUTE_AGGREGATES = {"temperature": PARTS, "humidity": PARTS, "count": ["first", "last"]}
HOURLY_AGGREGATES = {
    "temperature": [
        "count",
        "mean",
        "min",
        "max",
        "first",
        "last",
        "median",
        "p99",
        "stddev",
        "spread",
        "integral",
    ],
    "humidity": ["count", "mean", "min", "max"],
    "count": ["count", "sum", "min", "max", "first", "last", "distinct"],
    "status": ["count", "last", "distinct"],
    "ok": ["count", "first", "last"],
}
DAILY_AGGREGATES = ["count", "mean", "min", "max", "median", "p99", "stddev", "integral"]

# the tiers by bucket: measurement, width of a window, pipeline
PIPELINES = {TEN_MINUTES: "fleet_10m", HOURLY: "fleet_1h", WEATHER_DAILY: "weather_1d"}
