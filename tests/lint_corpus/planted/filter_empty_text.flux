from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r.room == "") // expect unpruned-filter:24
  |> aggregateWindow(every: 1h, fn: mean)
