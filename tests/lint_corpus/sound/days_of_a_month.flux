option task = {name: "days", every: 1mo}

from(bucket: "home")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "kWh" and r._field == "delta")
  |> aggregateWindow(every: 1d, fn: sum, createEmpty: false)
  |> to(bucket: "home_1d")
