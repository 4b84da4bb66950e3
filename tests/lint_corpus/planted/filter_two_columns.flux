from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air" and r.site == r.home) // expect unpruned-filter:52
  |> aggregateWindow(every: 1h, fn: mean)
