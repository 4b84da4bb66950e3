import "interpolate"

from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "tank" and r._field == "level")
  |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
  |> interpolate.linear(every: 1h)
