from(bucket: "web")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "http" and r._field == "duration")
  |> group() // expect raw-read:6
  |> histogram(bins: linearBins(start: 0.0, width: 50.0, count: 20))
