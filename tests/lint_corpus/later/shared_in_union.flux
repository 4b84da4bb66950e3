data = from(bucket: "web") // expect shared-variable:1
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "hits")

union(tables: [data |> min(), data |> max()])
