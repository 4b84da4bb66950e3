data = from(bucket: "iot") // expect shared-variable:1
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air")

data |> aggregateWindow(every: 1h, fn: mean, createEmpty: false) |> yield(name: "mean")
data |> aggregateWindow(every: 1h, fn: max, createEmpty: false) |> yield(name: "max")
