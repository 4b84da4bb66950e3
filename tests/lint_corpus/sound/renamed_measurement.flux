option task = {name: "rename", every: 15m}

from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air" and r._field == "co2")
  |> aggregateWindow(every: 15m, fn: mean, createEmpty: false)
  |> set(key: "_measurement", value: "air_15m")
  |> to(bucket: "iot_15m")
