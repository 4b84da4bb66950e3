name = "iot"

from(bucket: name)
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
  |> to(bucket: name) // expect reads-own-target:6
