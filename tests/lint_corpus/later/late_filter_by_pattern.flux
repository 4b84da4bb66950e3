from(bucket: "web")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> aggregateWindow(every: 1h, fn: sum)
  |> filter(fn: (r) => r._field =~ /^h/) // expect late-filter:6
