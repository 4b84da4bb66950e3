from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1h, fn: max, createEmpty: false)
  |> rename(columns: {_value: "level"}) // expect lost-columns:6
  |> to(bucket: "iot_1h")
