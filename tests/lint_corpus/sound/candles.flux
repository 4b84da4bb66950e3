prices = () => from(bucket: "market")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "trade" and r._field == "price")

union(tables: [
  prices() |> aggregateWindow(every: 1h, fn: first) |> set(key: "_field", value: "open"),
  prices() |> aggregateWindow(every: 1h, fn: max) |> set(key: "_field", value: "high"),
  prices() |> aggregateWindow(every: 1h, fn: min) |> set(key: "_field", value: "low"),
  prices() |> aggregateWindow(every: 1h, fn: last) |> set(key: "_field", value: "close"),
])
