import "math"
option task = {name: "rms", every: 10m, offset: 30s}

from(bucket: "plant")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "vibration" and r._field == "g")
  |> map(fn: (r) => ({r with _value: r._value * r._value})) // expect raw-read:6
  |> aggregateWindow(every: 10m, fn: mean, createEmpty: false)
  |> map(fn: (r) => ({r with _value: math.sqrt(x: r._value)}))
  |> to(bucket: "plant_10m")
