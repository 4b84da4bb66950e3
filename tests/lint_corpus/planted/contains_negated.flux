from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air")
  |> filter(fn: (r) => not contains(value: r.site, set: ["oslo"])) // expect contains-filter:28
  |> aggregateWindow(every: 1h, fn: count)
