from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air" and not (r.site == "oslo")) // expect unpruned-filter:52
  |> aggregateWindow(every: 1h, fn: mean)
