from(bucket: "web")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r["_measurement"] == "hits" and r["host"] == "") // expect unpruned-filter:56
  |> aggregateWindow(every: 1h, fn: sum)
