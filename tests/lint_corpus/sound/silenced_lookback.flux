option task = {name: "lookback", every: 1h}

from(bucket: "iot")
  |> range(start: -3h) // lint: ignore wall-clock-range - the hours before are written again on purpose
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1h, fn: mean, createEmpty: false)
  |> to(bucket: "iot_1h")
