from(bucket: "web")
  |> range(start: 2024-01-01T00:00:00Z, stop: 2025-01-01T00:00:00Z)
  |> filter(fn: (r) => r._measurement == "hits")
  |> aggregateWindow(every: 1mo, fn: sum)
