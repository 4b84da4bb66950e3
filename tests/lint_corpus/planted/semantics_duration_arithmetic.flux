option task = {name: "late", every: 1h}

from(bucket: "iot")
  |> range(start: -task.every - 30m) // expect semantics:19
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1h, fn: mean)
  |> to(bucket: "iot_1h")
