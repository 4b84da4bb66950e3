option task = {name: "a", every: 5m}

from(bucket: "iot")
  |> range(start: -15m) // expect wall-clock-range:6
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1m, fn: mean, createEmpty: false)
  |> to(bucket: "iot_1m")
