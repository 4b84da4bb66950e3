from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> aggregateWindow(every: 1h, fn: mean)
  |> filter(fn: (r) => r._measurement == "air" and r._field == "co2") // expect late-filter:6
