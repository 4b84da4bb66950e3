option task = {name: "ints", every: 30m}

from(bucket: "plant")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "counter" and r._field == "n")
  |> aggregateWindow(every: 30m, fn: sum, createEmpty: false)
  |> toInt()
  |> to(bucket: "plant_30m")
