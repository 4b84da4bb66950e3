from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1h, fn: last, createEmpty: false)
  |> keep(columns: ["_time", "_value", "site"]) // expect lost-columns:6
  |> to(bucket: "iot_1h")
