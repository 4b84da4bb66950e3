from(bucket: "iot") // expect no-range:1
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1h, fn: mean)
