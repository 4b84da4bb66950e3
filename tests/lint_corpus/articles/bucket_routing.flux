// Example: Multi-stage pipeline with explicit bucket routing
option task = {
name: "sensor_downsample_hourly",
every: 1h,
offset: 10m
}
from(bucket: "raw_telemetry")
|> range(start: v.timeRangeStart, stop: v.timeRangeStop)
|> filter(fn: (r) => r._measurement == "machine_vibration")
|> aggregateWindow(every: 1h, fn: last, createEmpty: false)
|> keep(columns: ["_time", "_value", "machine_id", "location"]) // expect lost-columns:4
|> to(bucket: "hourly_rollups")
