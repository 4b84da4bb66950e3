from(bucket: "rollup_hourly")
  |> range(start: 2025-03-08T00:00:00Z, stop: 2025-03-09T00:00:00Z)
  |> filter(fn: (r) => r["_measurement"] == "sensor_readings")
  |> drop(columns: ["_start", "_stop"])
