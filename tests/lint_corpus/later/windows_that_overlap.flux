option task = {name: "o", every: 1h}

from(bucket: "web")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "hits")
  |> aggregateWindow(every: 1h, period: 2h, fn: sum, createEmpty: false) // expect raw-read:6, window-alignment:6
  |> to(bucket: "web_1h")
