option task = {name: "fixed", every: 1d}

from(bucket: "iot")
  |> range(start: 2025-01-01T00:00:00Z, stop: v.timeRangeStop) // expect fixed-range:6
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1d, fn: mean)
  |> to(bucket: "iot_1d")
