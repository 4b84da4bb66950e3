from(bucket: "web")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => if r.host == "a" then r._field == "x" else r._field == "y") // expect unpruned-filter:24
  |> aggregateWindow(every: 1h, fn: sum)
