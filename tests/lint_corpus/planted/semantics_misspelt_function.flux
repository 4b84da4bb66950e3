from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> agregateWindow(every: 1h, fn: mean) // expect semantics:6
