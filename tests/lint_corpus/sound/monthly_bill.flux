option task = {name: "bill", every: 1mo, offset: 6h}

from(bucket: "home")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "kWh" and r._field == "delta")
  |> aggregateWindow(every: 1mo, fn: sum, createEmpty: false)
  |> to(bucket: "bills")
