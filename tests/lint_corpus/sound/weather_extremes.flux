source = () => from(bucket: "weather")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air" and r._field == "temperature")

source() |> aggregateWindow(every: 1d, fn: min) |> yield(name: "low")
source() |> aggregateWindow(every: 1d, fn: max) |> yield(name: "high")
