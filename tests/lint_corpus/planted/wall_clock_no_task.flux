from(bucket: "iot")
  |> range(start: -1h, stop: now()) // expect wall-clock-range:6
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1h, fn: mean)
  |> to(bucket: "iot_1h")
