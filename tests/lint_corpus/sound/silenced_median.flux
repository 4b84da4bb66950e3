option task = {name: "median", every: 1h}

from(bucket: "plant")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "pump" and r._field == "flow")
  // lint: ignore raw-read - three pumps, a point each minute
  |> aggregateWindow(every: 1h, fn: median, createEmpty: false)
  |> to(bucket: "plant_1h")
