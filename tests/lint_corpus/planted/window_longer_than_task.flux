option task = {name: "long", every: 1h}

from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1d, fn: mean, createEmpty: false) // expect window-alignment:6
  |> to(bucket: "iot_1d")
