from(bucket: "web")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "hits")
  |> group(columns: ["host"]) // expect raw-read:6
  |> mean()
