from(bucket: "office")
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "co2")
    |> filter(fn: (r) => strings.toLower(v: r.room) == "kitchen") // expect semantics:26 unpruned-filter:26
    |> mean()
