from(bucket: "web")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "hits")
  |> sort(columns: ["_value"], desc: true) // expect raw-read:6
  |> limit(n: 3)
