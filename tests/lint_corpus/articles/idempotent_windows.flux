// Production-safe idempotent windowing pattern
option task = {
    name: "iot_device_rollup_1h",
    every: 1h,
    offset: 10m
}

from(bucket: "raw_telemetry")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "sensor_readings")
  |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
  |> to(bucket: "rollup_hourly")
