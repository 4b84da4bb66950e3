source = () => from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air")

source() |> aggregateWindow(every: 1h, fn: mean, createEmpty: false) |> to(bucket: "iot_1h")
source() |> aggregateWindow(every: 1d, fn: mean, createEmpty: false) |> to(bucket: "iot") // expect reads-own-target:73
