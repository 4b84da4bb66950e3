from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air" and r._field == "co2")
  |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
  |> drop(columns: ["_start", "_stop", "_field"]) // expect lost-columns:6
  |> to(bucket: "iot_1h")
