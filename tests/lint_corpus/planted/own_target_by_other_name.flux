option task = {name: "into a sibling", every: 1h}

from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air" or r._measurement == "water")
  |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
  |> set(key: "_measurement", value: "water")
  |> to(bucket: "iot") // expect reads-own-target:6
