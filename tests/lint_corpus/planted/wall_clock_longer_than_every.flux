option task = {name: "twice", every: 1h}

from(bucket: "iot")
  |> range(start: -2h) // expect wall-clock-range:6
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1h, fn: mean)
  |> to(bucket: "iot_1h")
