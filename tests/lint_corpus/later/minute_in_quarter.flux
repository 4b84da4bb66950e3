option task = {name: "q", every: 15m}

from(bucket: "web")
  |> range(start: -15m)
  |> filter(fn: (r) => r._measurement == "hits" and r._value != 0.0)
  |> aggregateWindow(every: 5m, fn: sum, createEmpty: false)
  |> to(bucket: "web_5m")
