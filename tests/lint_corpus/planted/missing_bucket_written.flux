from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1h, fn: mean)
  |> to(bucket: "no_such_target") // expect missing-bucket:17
