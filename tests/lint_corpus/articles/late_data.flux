// Late-data reconciliation pattern
option task = {
    name: "iot_device_rollup_with_lookahead",
    every: 1h,
    offset: 10m
}

// Extend the lookback window by 30 minutes to catch delayed arrivals
from(bucket: "raw_telemetry")
  |> range(start: -task.every - 30m) // expect semantics:19
  |> filter(fn: (r) => r._measurement == "sensor_readings")
  |> window(every: 1h, period: 1h, createEmpty: false)
  |> group(columns: ["_measurement", "device_id"])
  |> reduce( // expect lost-columns:6
      identity: {_sum: 0.0, _count: 0.0}, // expect semantics:17
      fn: (r, accumulator) => ({
        _sum: r._value + accumulator._sum,
        _count: accumulator._count + 1
      })
    )
  |> map(fn: (r) => ({ r with _value: r._sum / r._count }))
  |> to(bucket: "rollup_hourly", tagColumns: ["device_id"])
