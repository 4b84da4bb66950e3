import "influxdata/influxdb"

from(bucket: "raw_telemetry")
  |> range(start: 2025-03-08T00:00:00Z, stop: 2025-03-09T00:00:00Z)
  |> filter(fn: (r) => r["_measurement"] == "sensor_readings")
  |> filter(fn: (r) => r["_field"] == "temp")
  |> window(every: 3600000000000ns, offset: 0ns) |> toFloat() |> quantile(q: 0.99, method: "exact_mean") |> duplicate(column: "_start", as: "_time") |> window(every: inf)
  |> drop(columns: ["_start", "_stop", "_field"])
  |> rename(columns: {_value: "temp_p99"})
  |> influxdb.wideTo(bucket: "rollup_hourly")
  |> yield(name: "0")
