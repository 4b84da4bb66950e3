option task = {name: "two", every: 1h}
hour = from(bucket: "iot") // expect shared-variable:1
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air")

hour |> aggregateWindow(every: 1h, fn: min) |> set(key: "stat", value: "min") |> to(bucket: "iot_1h")
hour |> aggregateWindow(every: 1h, fn: max) |> set(key: "stat", value: "max") |> to(bucket: "iot_1h")
