option task = {name: "keep", every: 1h}

from(bucket: "iot")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "air")
  |> aggregateWindow(every: 1h, fn: min, createEmpty: false)
  |> keep(columns: ["_time", "_measurement", "_field", "_value", "site", "room"])
  |> to(bucket: "iot_1h")
